/**
 * How many connections one address may have, and how often it may ask. Behind a trusted proxy the client's address counts, as that
 * proxy tells it with each request; the connection is then the proxy's, and bears requests of many, unless it is a WebSocket.
 * No limit meets a trusted proxy itself, or whoever is exempt. Clients that a proxy names by no address are one, at the proxy's.
 *
 * Where there is no limit, nobody looks at an address. Memory: of connections as many addresses as are connected; of requests
 * those of the last minutes, within a bound. A message on a WebSocket is no request: it could only be refused together with
 * its session, and whoever sends too many is slowed down by ejabberd's shaper and the window that stands behind it.
 */

import type { Logger } from 'pino';
import { networkOf } from '../node/network.js';
import { Networks } from '../node/networks.js';
import { type Rate, TokenBuckets } from '../node/token-buckets.js';
import { LimitedLog } from '../observe/limited-log.js';
import { plainIp } from './client-address.js';
import { Remembered } from './remembered.js';

export interface AddressLimitOptions {
  /** 0: no limit. */
  readonly maxConnectionsPerAddress: number;
  /** `undefined`: no limit. */
  readonly maxRequestsPerAddress: Rate | undefined;
  readonly exemptNetworks: readonly string[];
  readonly trustedProxies: readonly string[];
}

export interface LimitedClient {
  readonly ip: string;
  /** A proxy names it by no address: `ip` is the proxy's. */
  readonly isUnnamed?: true;
}

export interface LimitedRequest {
  /** As which its connection is limited. */
  readonly address: string;
  /** What a proxy says, empty where it says nothing. */
  readonly forwardedFor: string;
  /** Worked out when it is read. */
  readonly client: LimitedClient;
}

/** Nobody's: nothing is limited. */
export const UNLIMITED = '';
/** A trusted proxy's: who the client is, each request tells. */
export const FORWARDED = '*';

/** Addresses whose requests are remembered: some MB; and what proxies say of clients. */
const MOST = 65_536;
const MOST_FORWARDED = 8192;
const HINT = 'a proxy belongs into trusted_proxies, and who is not to be limited into exempt_networks';

export class AddressLimits {
  readonly #maxConnections: number;
  readonly #connections = new Map<string, number>();
  readonly #requests: TokenBuckets | undefined;
  readonly #exempt: Networks;
  readonly #proxies: Networks;
  /** By what proxies say of clients: all that are trusted are believed alike. */
  readonly #forwarded = new Remembered(MOST_FORWARDED);
  readonly #log: LimitedLog;

  constructor(options: AddressLimitOptions, log: Logger) {
    this.#maxConnections = options.maxConnectionsPerAddress;
    this.#requests =
      options.maxRequestsPerAddress && new TokenBuckets(options.maxRequestsPerAddress, undefined, MOST);
    this.#exempt = new Networks(options.exemptNetworks);
    this.#proxies = new Networks(options.trustedProxies);
    this.#log = new LimitedLog(log);
  }

  /** As which a connection of that peer is limited. */
  ofPeer(wire: { readonly remoteAddress?: string | undefined }): string {
    // Looked at only where it matters, for the socket keeps what it was asked for.
    if (this.#maxConnections === 0 && this.#requests === undefined) return UNLIMITED;
    const ip = plainIp(wire.remoteAddress ?? '');
    return this.#proxies.has(ip) ? FORWARDED : this.ofClient({ ip });
  }

  /** As which a WebSocket of that client is limited, behind proxies. */
  ofClient({ ip, isUnnamed }: LimitedClient): string {
    const isFree = this.#exempt.has(ip) || (isUnnamed !== true && this.#proxies.has(ip));
    return isFree ? UNLIMITED : networkOf(ip);
  }

  /** Whether one more connection may be had. */
  hasRoom(address: string): boolean {
    const isCounted = this.#maxConnections > 0 && address !== UNLIMITED && address !== FORWARDED;
    if (!isCounted || (this.#connections.get(address) ?? 0) < this.#maxConnections) return true;
    const most = this.#maxConnections;
    this.#warn(
      'HTTP_ADDRESS_CONNECTIONS',
      address,
      `an address has ${most} connections, as many as one may have`,
    );
    return false;
  }

  /** One more is had; to be followed by `leave`. */
  enter(address: string): void {
    if (this.#maxConnections === 0 || address === UNLIMITED || address === FORWARDED) return;
    this.#connections.set(address, (this.#connections.get(address) ?? 0) + 1);
  }

  leave(address: string): void {
    const left = (this.#connections.get(address) ?? 0) - 1;
    if (left > 0) this.#connections.set(address, left);
    else if (left === 0) this.#connections.delete(address);
  }

  /** In how many seconds this may be asked again; 0: it may now, and is counted. */
  wait(request: LimitedRequest, now: number): number {
    if (this.#requests === undefined) return 0;
    const address = request.address === FORWARDED ? this.#ofForwarded(request) : request.address;
    if (address === UNLIMITED || this.#requests.take(address, now)) return 0;
    this.#warn('HTTP_ADDRESS_REQUESTS', address, 'an address sends more requests than one may send');
    return Math.ceil(this.#requests.wait(address, now));
  }

  /** To look for proxies and exemptions takes as long as all else that is done for a request here. */
  #ofForwarded(request: LimitedRequest): string {
    const { forwardedFor } = request;
    const known = this.#forwarded.get(forwardedFor);
    if (known !== undefined) return known;
    const { client } = request;
    const address = this.ofClient(client);
    // Of nothing, and of what is no address, each proxy's own comes.
    if (forwardedFor !== '' && client.isUnnamed !== true) this.#forwarded.set(forwardedFor, address);
    return address;
  }

  /** @param text without the address: the dashboard shows it to everybody who may look */
  #warn(code: string, address: string, text: string): void {
    this.#log.warn(code, { code, address, hint: HINT }, text);
  }
}
