/**
 * The short way for answers: the forms that ejabberd sends, with binaries for all iodata, are read where they lie in
 * the received bytes. A message that looks different goes the general way (`readAnswer`), which would come to the same.
 *
 *   131 104 2 PID BODY      131 104 3 PID STATUS BODY      131 104 4 PID STATUS HEADERS BODY
 *
 * STATUS is 97 and a byte or 98 and four, HEADERS 106 or 108 and a count, that many `104 2 BINARY BINARY`, 106, and
 * BODY like every BINARY is 109, its length in four bytes, and its bytes (External Term Format).
 */

import { PidPattern } from '../etf/pid-pattern.js';
import * as Tag from '../etf/tags.js';
import type { Pid } from '../etf/terms.js';
import type { Answer, Header } from './answers.js';

/** Beyond this the general way's limits decide. */
const MAX_HEADERS = 100;
const NO_HEADERS: readonly Header[] = [];

export class AnswerReader {
  readonly #connIds: PidPattern;
  #bytes: Buffer = Buffer.alloc(0);
  #at = 0;
  #end = 0;

  /** @param node the gateway's own */
  constructor(node: string, creation: number) {
    this.#connIds = new PidPattern(node, creation);
  }

  /** The answer in `bytes` from `start` to `end`, its body a view of them; `undefined` where it takes the general way. */
  read(bytes: Buffer, start: number, end: number): Answer<Pid> | undefined {
    if (bytes[start] !== Tag.VERSION || bytes[start + 1] !== Tag.SMALL_TUPLE_EXT) return undefined;
    const arity = bytes[start + 2] as number;
    const connIdAt = start + 3;
    if (arity < 2 || arity > 4 || !this.#connIds.isAt(bytes, connIdAt, end)) return undefined;
    this.#bytes = bytes;
    this.#at = connIdAt + this.#connIds.length;
    this.#end = end;
    const status = arity === 2 ? 200 : this.#status();
    if (status < 200 || status > 599) return undefined;
    const headers = arity === 4 ? this.#headers() : NO_HEADERS;
    if (headers === undefined) return undefined;
    const body = this.#binary();
    // Bytes behind the term are an error, and errors are the general way's.
    if (body === undefined || this.#at !== end) return undefined;
    return { connId: this.#connIds.read(bytes, connIdAt), status, headers, body };
  }

  /** 0 for what is no status. */
  #status(): number {
    const tag = this.#byte();
    if (tag === Tag.SMALL_INTEGER_EXT) return this.#byte();
    // A negative one is out of range all the same.
    return tag === Tag.INTEGER_EXT ? this.#uint32() : 0;
  }

  #headers(): readonly Header[] | undefined {
    const tag = this.#byte();
    if (tag === Tag.NIL_EXT) return NO_HEADERS;
    if (tag !== Tag.LIST_EXT) return undefined;
    const count = this.#uint32();
    if (count > MAX_HEADERS) return undefined;
    const headers: Header[] = [];
    for (let index = 0; index < count; index += 1) {
      if (this.#byte() !== Tag.SMALL_TUPLE_EXT || this.#byte() !== 2) return undefined;
      const name = this.#binary();
      const value = name && this.#binary();
      if (name === undefined || value === undefined) return undefined;
      headers.push([name.toString('latin1'), value.toString('latin1')]);
    }
    return this.#byte() === Tag.NIL_EXT ? headers : undefined;
  }

  #binary(): Buffer | undefined {
    if (this.#byte() !== Tag.BINARY_EXT) return undefined;
    const length = this.#uint32();
    const from = this.#at;
    this.#at = from + length;
    return this.#at <= this.#end ? this.#bytes.subarray(from, this.#at) : undefined;
  }

  /** -1 where none is left; likewise infinity below. */
  #byte(): number {
    if (this.#at >= this.#end) return -1;
    const byte = this.#bytes[this.#at] as number;
    this.#at += 1;
    return byte;
  }

  #uint32(): number {
    if (this.#at + 4 > this.#end) return Number.POSITIVE_INFINITY;
    const value = this.#bytes.readUInt32BE(this.#at);
    this.#at += 4;
    return value;
  }
}
