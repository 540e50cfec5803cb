/**
 * Who may begin no session for now, by address: those of whom too many logins failed, and those whom ejabberd banned. Its nodes
 * tell both to all gateways and workers; of what began before neither is cut. Nothing of it is asked of a node: a flood ends here.
 */

import type { Logger } from 'pino';
import { networkOf } from '../node/network.js';
import { Networks } from '../node/networks.js';
import { type Rate, TokenBuckets } from '../node/token-buckets.js';
import { LimitedLog } from '../observe/limited-log.js';
import type { ClientInfo } from './meta.js';
import type { Clock } from './ports.js';
import * as refusals from './refusals.js';

export interface DoorOptions {
  /** `undefined`: any number of logins may fail. */
  readonly failedLogins: Rate | undefined;
  /** Of whom nothing is noted, as CIDR. */
  readonly exemptNetworks: readonly string[];
  /** Whose own requests are free: only those whom they name by no address are limited as if they were the proxy. */
  readonly trustedProxies: readonly string[];
}

/**
 * How many times what may fail one address may owe: a hundred sessions that were begun before the first login failed are made up
 * for to the last. An office whose logins all fail at once waits no longer than it takes to make up for as many.
 */
const MOST_OWED = 10;
/** Addresses remembered, of either kind: some MB. */
const MOST = 65_536;
/** A ban may be lifted: so often a node is asked again, seconds. */
const LONGEST_BAN = 60;

export class Door {
  readonly #failures: TokenBuckets | undefined;
  readonly #exempt: Networks;
  readonly #proxies: Networks;
  /** When each ends. The one noted last comes last. */
  #bans = new Map<string, number>();
  /** When nobody is refused any more. */
  #until = 0;
  readonly #clock: Clock;
  readonly #log: LimitedLog;

  constructor({ failedLogins, exemptNetworks, trustedProxies }: DoorOptions, clock: Clock, log: Logger) {
    this.#failures =
      failedLogins && new TokenBuckets(failedLogins, undefined, MOST, MOST_OWED * failedLogins.burst);
    this.#exempt = new Networks(exemptNetworks);
    this.#proxies = new Networks(trustedProxies);
    this.#clock = clock;
    this.#log = new LimitedLog(log);
  }

  /** Why a client begins no session now. Looks at who it is only while somebody may not. */
  refusalOf(request: { readonly client: ClientInfo }): refusals.Refusal | undefined {
    if (this.#until <= this.#clock.now) {
      if (this.#bans.size > 0) this.#bans = new Map();
      return undefined;
    }
    const { ip, isUnnamed } = request.client;
    const refusal = this.#refusalOf(networkOf(ip));
    if (refusal === undefined) return undefined;
    // Of a network some may be exempt.
    const isFree = this.#exempt.has(ip) || (isUnnamed !== true && this.#proxies.has(ip));
    return isFree ? undefined : refusal;
  }

  /** A login from that address failed. */
  failedLogin(ip: string): void {
    if (this.#failures === undefined || this.#exempt.has(ip)) return;
    const network = networkOf(ip);
    this.#failures.charge(network, this.#clock.now);
    const wait = this.#failures.wait(network, this.#clock.now);
    if (wait === 0) return;
    this.#until = Math.max(this.#until, this.#clock.now + wait);
    this.#warn(
      'GATEWAY_FAILED_LOGINS',
      ip,
      'too many logins from an address failed: it begins no sessions for a while',
    );
  }

  /** A node lets nobody in from there. */
  banned(ip: string, seconds: number): void {
    if (this.#exempt.has(ip)) return;
    const network = networkOf(ip);
    this.#bans.delete(network);
    const end = this.#clock.now + Math.min(seconds, LONGEST_BAN);
    this.#bans.set(network, end);
    this.#until = Math.max(this.#until, end);
    if (this.#bans.size > MOST) this.#forgetOldest();
    this.#warn('GATEWAY_BANNED', ip, 'an address is banned by ejabberd, and begins no sessions');
  }

  #refusalOf(network: string): refusals.Refusal | undefined {
    const banned = (this.#bans.get(network) ?? 0) - this.#clock.now;
    if (banned > 0) return refusals.banned(whole(banned));
    const wait = this.#failures?.wait(network, this.#clock.now) ?? 0;
    return wait > 0 ? refusals.failedLogins(whole(wait)) : undefined;
  }

  #forgetOldest(): void {
    for (const network of this.#bans.keys()) {
      this.#bans.delete(network);
      return;
    }
  }

  /** @param text without the address: the dashboard shows it to everybody who may look */
  #warn(code: string, address: string, text: string): void {
    const hint = 'a proxy belongs into trusted_proxies, and who is not to be limited into exempt_networks';
    this.#log.warn(code, { code, address, hint }, text);
  }
}

/** Seconds for `Retry-After`; the clock's own have fractions. */
const whole = (seconds: number): number => Math.max(1, Math.round(seconds));
