/**
 * Recognises the pids of one node, in one of its lives, where they lie in received bytes, so that the hot path decodes
 * none. NEW_PID_EXT: 88, the node's name as an atom, id:32, serial:32, creation:32 (External Term Format).
 */

import { encode } from './encode.js';
import { Pid } from './terms.js';

export class PidPattern {
  /** Bytes of such a pid. */
  readonly length: number;
  readonly #node: string;
  readonly #creation: number;
  /** The bytes that all of them begin with. */
  readonly #start: Buffer;

  constructor(node: string, creation: number) {
    const pid = encode(new Pid(node, 0, 0, creation));
    this.length = pid.length;
    this.#node = node;
    this.#creation = creation;
    this.#start = pid.subarray(0, -12);
  }

  /** Whether one is at `at`, before `end`. False also for one that is written in another form. */
  isAt(bytes: Buffer, at: number, end: number): boolean {
    if (at + this.length > end) return false;
    const start = this.#start;
    for (let index = 0; index < start.length; index += 1) {
      if (bytes[at + index] !== start[index]) return false;
    }
    return bytes.readUInt32BE(at + this.length - 4) === this.#creation;
  }

  /** The pid at `at`, where `isAt` has seen one. */
  read(bytes: Buffer, at: number): Pid {
    const id = at + this.length - 12;
    return new Pid(this.#node, bytes.readUInt32BE(id), bytes.readUInt32BE(id + 4), this.#creation);
  }
}
