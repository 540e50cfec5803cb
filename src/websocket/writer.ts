/** Frames to clients (RFC 6455 §5): never masked, never in fragments. */

import { NO_CODE } from './close-codes.js';
import { CLOSE, MAX_CONTROL, PING, PONG, TEXT } from './opcodes.js';

const FIN = 0x80;
const NUMBER_BYTES = 6;
/** The largest that a Ping can carry. */
export const MAX_NUMBER = 2 ** (8 * NUMBER_BYTES) - 1;

/** The payload is copied: one buffer is one write. */
export const textFrame = (text: Buffer): Buffer => frame(TEXT, text);

/** The answer to a Ping. */
export const pongFrame = (payload: Buffer): Buffer => frame(PONG, payload);

/** @param number up to `MAX_NUMBER`; the Pong that answers it says it again: `pongNumber` */
export function pingFrame(number: number): Buffer {
  const bytes = Buffer.allocUnsafe(2 + NUMBER_BYTES);
  writeHeader(bytes, PING, NUMBER_BYTES);
  bytes.writeUIntBE(number, 2, NUMBER_BYTES);
  return bytes;
}

/** Of the Ping that it answers; -1: of none of ours. Anybody can send one with any number (§5.5.3). */
export const pongNumber = (payload: Buffer): number =>
  payload.length === NUMBER_BYTES ? payload.readUIntBE(0, NUMBER_BYTES) : -1;

/** @param code `NO_CODE` for a frame without any @param reason cut where it is too long */
export function closeFrame(code: number, reason: Buffer = NO_REASON): Buffer {
  if (code === NO_CODE) return frame(CLOSE, NO_REASON);
  const length = Math.min(reason.length, endWithin(reason, MAX_CONTROL - 2));
  const bytes = Buffer.allocUnsafe(4 + length);
  writeHeader(bytes, CLOSE, 2 + length);
  bytes.writeUInt16BE(code, 2);
  reason.copy(bytes, 4, 0, length);
  return bytes;
}

const NO_REASON = Buffer.alloc(0);

/** The last offset up to `max` that is not within a code point. */
function endWithin(text: Buffer, max: number): number {
  let end = max;
  while (end > 0 && ((text[end] ?? 0) & 0xc0) === 0x80) end -= 1;
  return end;
}

function frame(opcode: number, payload: Buffer): Buffer {
  const head = headerLength(payload.length);
  const bytes = Buffer.allocUnsafe(head + payload.length);
  writeHeader(bytes, opcode, payload.length);
  payload.copy(bytes, head);
  return bytes;
}

const headerLength = (length: number): number => (length < 126 ? 2 : length < 0x10000 ? 4 : 10);

function writeHeader(bytes: Buffer, opcode: number, length: number): void {
  bytes[0] = FIN | opcode;
  if (length < 126) {
    bytes[1] = length;
  } else if (length < 0x10000) {
    bytes[1] = 126;
    bytes.writeUInt16BE(length, 2);
  } else {
    bytes[1] = 127;
    bytes.writeUInt16BE(0, 2);
    bytes.writeUIntBE(length, 4, 6);
  }
}
