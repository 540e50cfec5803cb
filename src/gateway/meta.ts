/**
 * What a session's first request tells ejabberd about its client: a map with binary keys. Its text is empty where
 * the client sent nothing.
 */

import { encodePlain } from '../etf/plain.js';

export interface ClientInfo {
  readonly ip: string;
  /** 0 where only a proxy knows it. */
  readonly port: number;
  readonly secure: boolean;
  /** A proxy names it by no address: `ip` is the proxy's. */
  readonly isUnnamed?: true;
  readonly path: string;
  readonly origin: string;
  readonly userAgent: string;
}

/**
 * The bytes of the map without a version byte, to stand inside a tuple.
 * @param transport said only where it is not BOSH
 */
export function encodeMeta(
  { ip, port, secure, path, origin, userAgent }: ClientInfo,
  transport?: 'websocket',
): Buffer {
  const client = { ip, port, secure, path, origin, user_agent: userAgent };
  return encodePlain(transport === undefined ? client : { ...client, transport });
}
