/**
 * The messages from the gateway to `{mod_megaphone, Node}`, each one encoded term with its leading 131:
 *
 *   {ConnId, Body}              a request of an existing session
 *   {ConnId, Body, Meta}        a request that starts one
 *   {ConnId, closed, Sid}       the client of an unanswered exchange went away (Sid is <<>> where it had none)
 *   {ConnId, held, Sid, Rid}    asks what became of a request that was sent before a break
 *   {ConnId, release, Sid}      asks that a request which is held is answered now
 *   {Gateway, mark, Place}      asks to be told `{taken, Place}` when all before it was taken
 *
 * Every request is one of the first three, so these are written by hand (the others: `Sender`). What stands before a body
 * or sid is made once; only its numbers are patched. The body itself goes to the connection as it is, to be copied once.
 */

import { encode } from '../etf/encode.js';
import * as Tag from '../etf/tags.js';
import { atom, Pid } from '../etf/terms.js';

const CLOSED = encode(atom('closed'));

export class RequestEncoder {
  /** 131, the tuple's tag and arity, the ConnId, the binary's tag and length. */
  readonly #request: Buffer;
  /** The same with the atom `closed` in between. */
  readonly #closed: Buffer;
  /** Of the ConnId's id; its serial follows. */
  readonly #idAt: number;

  constructor(node: string, creation: number) {
    const connId = encode(new Pid(node, 0, 0, creation));
    const binary = Buffer.of(Tag.BINARY_EXT, 0, 0, 0, 0);
    const start = (arity: number): Buffer => Buffer.of(Tag.VERSION, Tag.SMALL_TUPLE_EXT, arity);
    this.#request = Buffer.concat([start(2), connId, binary]);
    this.#closed = Buffer.concat([start(3), connId, CLOSED, binary]);
    this.#idAt = start(0).length + connId.length - 12;
  }

  /**
   * What stands before the body of a request, which the body follows, and with `hasMeta` behind it the encoded map
   * without its 131. The same bytes for each call.
   */
  requestHead(slot: number, generation: number, bodyLength: number, hasMeta: boolean): Buffer {
    this.#request[2] = hasMeta ? 3 : 2;
    return this.#patched(this.#request, slot, generation, bodyLength);
  }

  /** What stands before the sid of the message that an exchange is closed. The same bytes for each call. */
  closedHead(slot: number, generation: number, sidLength: number): Buffer {
    return this.#patched(this.#closed, slot, generation, sidLength);
  }

  #patched(head: Buffer, slot: number, generation: number, length: number): Buffer {
    head.writeUInt32BE(slot, this.#idAt);
    head.writeUInt32BE(generation, this.#idAt + 4);
    head.writeUInt32BE(length, head.length - 4);
    return head;
  }
}
