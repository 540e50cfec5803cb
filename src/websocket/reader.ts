/**
 * Frames of a client from bytes (RFC 6455 §5), of which only text goes to the application (RFC 7395 §3.2). What is
 * whole in one read is handled where it lies. Only of what is not, something is kept, a value for each phase:
 *
 *   phase    what is kept
 *   idle     nothing
 *   head     some bytes of a frame's header, or of a control frame; and the message that it stands in
 *   payload  the message, and how much of the present frame is to come
 *   between  the message, whose next frame is to come
 *
 *   in phase          part of head      part of text     text, more follows  text, the last  control     fault
 *   idle              head              payload          between             idle+text       idle+it     idle+failed
 *   head              head              payload          between             idle+text       idle+it     idle+failed
 *   head, between     head, between     payload          between             idle+text       between+it  idle+failed
 *   payload           –                 payload          between             idle+text       –           idle+failed
 *   between           head, between     payload          between             idle+text       between+it  idle+failed
 *
 * Behind a plus is what the listener hears. A message in more fragments than `TextMessage` allows is a fault. After a Close frame or a fault nothing more is read. A control frame stands
 * between two frames of a message, and no frame begins within another one (§5.4).
 */

import { isUtf8 } from 'node:buffer';
import {
  INVALID_TEXT,
  isValidCode,
  NO_CODE,
  NOT_ACCEPTED,
  POLICY,
  PROTOCOL_ERROR,
  TOO_LARGE,
} from './close-codes.js';
import { rotate, unmask } from './mask.js';
import { BINARY, CLOSE, CONTINUATION, MAX_CONTROL, PING, PONG, TEXT } from './opcodes.js';
import { TextMessage } from './text-message.js';

/** What is kept of a client's bytes until more of them come. `memory`: the bytes that it takes, no fewer than it does. */
export type Incomplete =
  | TextMessage
  | {
      readonly phase: 'head';
      readonly bytes: Buffer;
      readonly message: TextMessage | undefined;
      readonly memory: number;
    }
  | Payload;

interface Payload {
  readonly phase: 'payload';
  readonly message: TextMessage;
  /** Whether the message ends with this frame. */
  readonly isLast: boolean;
  /** Bytes to come. */
  readonly left: number;
  /** For the first of them. */
  readonly key: number;
  readonly memory: number;
}

/** Whose frames they are. What it hears lies in the bytes that were read, or is its own to keep. */
export interface FrameListener {
  /** The reader's; without anything to do, it is `undefined`. */
  incomplete: Incomplete | undefined;
  /** Whether it wants more. Asked before each frame. */
  readonly wantsFrames: boolean;
  /** A whole message, in UTF-8. */
  text(message: Buffer): void;
  ping(payload: Buffer): void;
  pong(payload: Buffer): void;
  /** The client closes. @param code `NO_CODE` where it gave none */
  closing(code: number, reason: Buffer): void;
  /** The connection fails (§7.1.7). @param code for the Close frame */
  failed(code: number, why: string): void;
}

/** What a header has at most, and a control frame (§5.2, §5.5). */
const MAX_HEAD = 14;
const MAX_SMALL = 6 + MAX_CONTROL;
const FIN = 0x80;
const RESERVED = 0x70;
const MASKED = 0x80;
const TWO_BYTES = 126;
/** Instead of an offset: after a Close frame or a fault. */
const NOTHING_MORE = -1;
const NO_UTF8 = 'text that is not UTF-8';
/** What a value of a phase takes beside what it holds. */
const OVERHEAD = 288;

/**
 * Reads from `start` on, and unmasks in place: a byte must not be read twice.
 * @param maxMessage bytes
 * @param maxFrames those of which a part is there count, and whatever they are: each has its cost
 * @returns the offset behind what was read: less than all, if these were as many, or the listener wants no more
 */
export function read(
  listener: FrameListener,
  bytes: Buffer,
  start: number,
  maxMessage: number,
  maxFrames: number,
): number {
  let at = start;
  for (let left = maxFrames; left > 0 && at < bytes.length && listener.wantsFrames; left -= 1) {
    const end = readNext(listener, bytes, at, maxMessage);
    if (end === NOTHING_MORE) return bytes.length;
    at = end;
  }
  return at;
}

/** @returns the offset behind a frame, or behind what is there of it; or `NOTHING_MORE` */
function readNext(listener: FrameListener, bytes: Buffer, at: number, maxMessage: number): number {
  const kept = listener.incomplete;
  if (kept === undefined || kept.phase === 'between') return readFrame(listener, bytes, at, kept, maxMessage);
  if (kept.phase === 'payload') return readPayload(listener, bytes, at, kept, maxMessage);
  const { length } = kept.bytes;
  const joined = Buffer.concat([kept.bytes, bytes.subarray(at, at + MAX_SMALL - length)]);
  const end = readFrame(listener, joined, 0, kept.message, maxMessage);
  return end === NOTHING_MORE ? end : at + end - length;
}

/** @returns as `readNext` does */
function readFrame(
  listener: FrameListener,
  bytes: Buffer,
  at: number,
  message: TextMessage | undefined,
  maxMessage: number,
): number {
  const there = bytes.length - at;
  if (there < 2) return keepHead(listener, bytes, at, message);
  const first = bytes[at] as number;
  const second = bytes[at + 1] as number;
  const fault = faultOf(first, second, message !== undefined);
  if (fault !== undefined) return fail(listener, PROTOCOL_ERROR, fault);
  const opcode = first & 0x0f;
  if (opcode === BINARY) return fail(listener, NOT_ACCEPTED, 'a binary message: XMPP is sent as text');

  let length = second & 0x7f;
  let head = 6;
  if (length >= TWO_BYTES) {
    head = length === TWO_BYTES ? 8 : MAX_HEAD;
    if (there < head - 4) return keepHead(listener, bytes, at, message);
    length = length === TWO_BYTES ? bytes.readUInt16BE(at + 2) : longLength(bytes, at + 2);
    if (length < 0) return fail(listener, PROTOCOL_ERROR, 'a length beyond 63 bits');
    if (length < (head === 8 ? TWO_BYTES : 0x10000)) {
      return fail(listener, PROTOCOL_ERROR, 'a length in more bytes than it needs');
    }
  }
  const isControl = opcode >= CLOSE;
  if (!isControl && length > maxMessage - (message?.length ?? 0)) {
    return fail(listener, TOO_LARGE, `a message may have ${maxMessage} bytes`);
  }
  if (there < head || (isControl && there < head + length)) return keepHead(listener, bytes, at, message);

  const key = bytes.readInt32BE(at + head - 4);
  const begin = at + head;
  const end = begin + length;
  if (isControl) {
    unmask(bytes, begin, end, key);
    listener.incomplete = message;
    return tellControl(listener, opcode, bytes, begin, end);
  }
  if (first >= FIN && message === undefined && end <= bytes.length) {
    unmask(bytes, begin, end, key);
    const text = bytes.subarray(begin, end);
    if (!isUtf8(text)) return fail(listener, INVALID_TEXT, NO_UTF8);
    listener.incomplete = undefined;
    listener.text(text);
    return end;
  }
  const begun = message ?? new TextMessage();
  if (!begun.beginFragment()) return fail(listener, POLICY, 'a message in too many fragments');
  return readPayload(listener, bytes, begin, payloadOf(begun, first >= FIN, length, key), maxMessage);
}

/** @returns as `readNext` does */
function readPayload(
  listener: FrameListener,
  bytes: Buffer,
  at: number,
  { message, isLast, left, key }: Payload,
  maxMessage: number,
): number {
  const end = Math.min(bytes.length, at + left);
  unmask(bytes, at, end, key);
  if (!message.add(bytes, at, end, isLast ? message.length + left : maxMessage)) {
    return fail(listener, INVALID_TEXT, NO_UTF8);
  }
  const rest = left - (end - at);
  if (rest > 0) {
    listener.incomplete = payloadOf(message, isLast, rest, rotate(key, end - at));
  } else if (!isLast) {
    listener.incomplete = message;
  } else if (message.isWhole) {
    listener.incomplete = undefined;
    listener.text(message.text);
  } else {
    return fail(listener, INVALID_TEXT, NO_UTF8);
  }
  return end;
}

function tellControl(
  listener: FrameListener,
  opcode: number,
  bytes: Buffer,
  begin: number,
  end: number,
): number {
  if (opcode === PING) listener.ping(bytes.subarray(begin, end));
  else if (opcode === PONG) listener.pong(bytes.subarray(begin, end));
  else return tellClose(listener, bytes, begin, end);
  return end;
}

function tellClose(listener: FrameListener, bytes: Buffer, begin: number, end: number): number {
  const reason = bytes.subarray(begin + 2, end);
  if (begin === end) {
    listener.closing(NO_CODE, reason);
    return NOTHING_MORE;
  }
  if (end - begin === 1) return fail(listener, PROTOCOL_ERROR, 'half a close code');
  const code = bytes.readUInt16BE(begin);
  if (!isValidCode(code)) return fail(listener, PROTOCOL_ERROR, `the close code ${code}`);
  if (!isUtf8(reason)) return fail(listener, INVALID_TEXT, NO_UTF8);
  listener.closing(code, reason);
  return NOTHING_MORE;
}

/** The first two bytes of a frame say what it is, and whether it may stand here (§5.1, §5.2, §5.4, §5.5). */
function faultOf(first: number, second: number, isWithin: boolean): string | undefined {
  if ((first & RESERVED) !== 0) return 'a reserved bit';
  if (second < MASKED) return 'a frame without a mask';
  const opcode = first & 0x0f;
  switch (opcode) {
    case CONTINUATION:
      return isWithin ? undefined : 'a continuation of nothing';
    case TEXT:
    case BINARY:
      return isWithin ? 'a message within another one' : undefined;
    case CLOSE:
    case PING:
    case PONG:
      if (first < FIN) return 'a control frame in fragments';
      return (second & 0x7f) > MAX_CONTROL ? `a control frame of more than ${MAX_CONTROL} bytes` : undefined;
    default:
      return `the opcode ${opcode}`;
  }
}

/** A length of eight bytes; -1: its first bit is set (§5.2). One beyond 2^53 is rounded, and far too long anyway. */
const longLength = (bytes: Buffer, at: number): number =>
  (bytes[at] as number) >= 0x80 ? -1 : bytes.readUInt32BE(at) * 2 ** 32 + bytes.readUInt32BE(at + 4);

/** A copy: the rest of a frame may take long, and what was read with it is large. */
function keepHead(
  listener: FrameListener,
  from: Buffer,
  at: number,
  message: TextMessage | undefined,
): number {
  const bytes = Buffer.allocUnsafeSlow(from.length - at);
  from.copy(bytes, 0, at);
  const memory = OVERHEAD + bytes.length + (message?.memory ?? 0);
  listener.incomplete = { phase: 'head', bytes, message, memory };
  return from.length;
}

const payloadOf = (message: TextMessage, isLast: boolean, left: number, key: number): Payload => ({
  phase: 'payload',
  message,
  isLast,
  left,
  key,
  memory: OVERHEAD + message.memory,
});

function fail(listener: FrameListener, code: number, why: string): number {
  listener.incomplete = undefined;
  listener.failed(code, why);
  return NOTHING_MORE;
}
