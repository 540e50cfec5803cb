/**
 * The messages from the gateway to `{mod_megaphone, Node}`, each one encoded term with its leading 131:
 *
 *   {ConnId, Body}          a request of an existing session
 *   {ConnId, Body, Meta}    a request that starts one
 *   {ConnId, closed, Sid}   the client of an unanswered exchange went away (Sid is <<>> where it had none)
 *
 * Every request is one of these, so they are written by hand: the ConnId's bytes are made once and only its id and
 * serial are patched, and the body is copied once.
 */

import { encode } from '../etf/encode.js';
import { atom, Pid } from '../etf/terms.js';

// External term format §§ 5.14 (SMALL_TUPLE_EXT) and 5.19 (BINARY_EXT).
const VERSION = 131;
const SMALL_TUPLE = 104;
const BINARY = 109;

const CLOSED = encode(atom('closed'));

export class RequestEncoder {
  /** A ConnId in NEW_PID_EXT, whose last twelve bytes are id, serial and creation. */
  readonly #connId: Buffer;

  constructor(node: string, creation: number) {
    this.#connId = encode(new Pid(node, 0, 0, creation));
  }

  /** @param meta one encoded map without its 131, or `undefined` for the form without it */
  request(slot: number, generation: number, body: Uint8Array, meta: Uint8Array | undefined): Buffer {
    const start = 3 + this.#connId.length;
    const message = Buffer.allocUnsafe(start + 5 + body.length + (meta?.length ?? 0));
    this.#writeStart(message, meta === undefined ? 2 : 3, slot, generation);
    const end = writeBinary(message, start, body);
    if (meta !== undefined) message.set(meta, end);
    return message;
  }

  closed(slot: number, generation: number, sid: string): Buffer {
    const bytes = Buffer.from(sid, 'latin1');
    const start = 3 + this.#connId.length;
    const message = Buffer.allocUnsafe(start + CLOSED.length + 5 + bytes.length);
    this.#writeStart(message, 3, slot, generation);
    message.set(CLOSED, start);
    writeBinary(message, start + CLOSED.length, bytes);
    return message;
  }

  #writeStart(message: Buffer, arity: number, slot: number, generation: number): void {
    message[0] = VERSION;
    message[1] = SMALL_TUPLE;
    message[2] = arity;
    message.set(this.#connId, 3);
    const idAt = 3 + this.#connId.length - 12;
    message.writeUInt32BE(slot, idAt);
    message.writeUInt32BE(generation, idAt + 4);
  }
}

/** Returns the offset behind the binary. */
function writeBinary(message: Buffer, at: number, bytes: Uint8Array): number {
  message[at] = BINARY;
  message.writeUInt32BE(bytes.length, at + 1);
  message.set(bytes, at + 5);
  return at + 5 + bytes.length;
}
