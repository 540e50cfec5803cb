/**
 * Who the client is when proxies stand in front: what `X-Forwarded-For` and `X-Forwarded-Proto` say counts only as
 * far as it was written by proxies the operator trusts, for anyone can send these headers.
 */

import { isIP } from 'node:net';
import { Networks } from '../node/networks.js';
import { ownText } from './own-text.js';

export interface ClientAddress {
  readonly ip: string;
  /** 0 where only a proxy knows it. */
  readonly port: number;
  readonly secure: boolean;
  /** The address is that of the last trusted proxy, for what it says of who is behind it is no address. */
  readonly isUnnamed?: true;
}

export interface ForwardedHeaders {
  readonly forwardedFor: string | undefined;
  readonly forwardedProto: string | undefined;
}

export class TrustedProxies extends Networks {
  /**
   * Walks from the peer of the socket towards the client, as far as each hop is trusted.
   * @param isTls whether the peer's own connection is over TLS
   */
  clientOf(peerIp: string, peerPort: number, headers: ForwardedHeaders, isTls = false): ClientAddress {
    const peer = plainIp(peerIp);
    if (!this.has(peer)) return { ip: peer, port: peerPort, secure: isTls };
    const secure = lastItem(headers.forwardedProto)?.toLowerCase() === 'https';
    let hop = { ip: peer, port: peerPort };
    for (const item of headers.forwardedFor?.split(',').reverse() ?? []) {
      if (!this.has(hop.ip)) break;
      const next = parseHop(item);
      if (next === undefined) return { ip: ownText(hop.ip), port: hop.port, secure, isUnnamed: true };
      hop = next;
    }
    // It is remembered for longer than its request.
    return { ip: ownText(hop.ip), port: hop.port, secure };
  }
}

/** An IPv4 address that a dual-stack socket shows as `::ffff:192.0.2.1`, without that prefix. */
export function plainIp(ip: string): string {
  return /^::ffff:\d+\.\d+\.\d+\.\d+$/i.test(ip) ? ip.slice(7) : ip;
}

/** `192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`: some proxies add the port. */
function parseHop(item: string): { ip: string; port: number } | undefined {
  const text = item.trim();
  if (isIP(text) !== 0) return { ip: plainIp(text), port: 0 };
  const [, bracketed, plain, port = '0'] = /^(?:\[([^\]]+)\]|([^:]+))(?::(\d{1,5}))?$/.exec(text) ?? [];
  const ip = bracketed ?? plain ?? '';
  return isIP(ip) === 0 ? undefined : { ip: plainIp(ip), port: Number(port) };
}

function lastItem(list: string | undefined): string | undefined {
  return list?.split(',').at(-1)?.trim();
}
