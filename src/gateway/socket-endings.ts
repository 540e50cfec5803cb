/**
 * How a WebSocket ends that neither its client nor its session ends: before the upgrade with an answer of HTTP, behind it
 * with a Close frame (codes: RFC 6455 §7.4.1 and IANA's WebSocket Close Code Number Registry).
 */

import { FAULT, RESTART, TRY_AGAIN } from '../websocket/close-codes.js';
import * as refusals from './refusals.js';

export interface Ending {
  readonly refusal: refusals.Refusal;
  readonly code: number;
  readonly reason: Buffer;
}

const ending = (refusal: refusals.Refusal, code: number, reason: string): Ending => ({
  refusal,
  code,
  reason: Buffer.from(reason),
});

/** Its node does not read what waits for it already. */
export const FULL = ending(refusals.OVERLOAD, TRY_AGAIN, 'the server does not keep up');
export const NODE_LOST = ending(refusals.NODE_LOST, RESTART, 'the server was lost');
export const STOPPING = ending(refusals.STOPPING, RESTART, 'this gateway is stopping');
export const NOT_TEXT = ending(refusals.NODE_LOST, FAULT, 'the server sent what is no text');

/** The server's own, where it gives no answer of HTTP. */
export const byServer = (code: number, reason: Buffer): Ending => ({
  refusal: refusals.NODE_LOST,
  code,
  reason,
});
