/**
 * The short way for messages to our pids, which is what nearly every frame of a peer holds: an answer to an exchange.
 * They are recognised by their bytes and nothing is decoded; a frame that looks different goes the general way
 * (`control.ts`), which would come to the same. The control message is {2, '', To}, SEND:
 *
 *   112   131 104 3  97 2  119 0  PID   131 …
 */

import { PidPattern } from '../etf/pid-pattern.js';
import * as Tag from '../etf/tags.js';
import type { Pid } from '../etf/terms.js';
import type { Identity } from './handshake-messages.js';

const PASS_THROUGH = 112;
const SEND = 2;
/** Where the recipient stands in a frame. */
const RECIPIENT = 8;

export class PidMessages {
  /** Where the payload of the latest message starts, with its 131. */
  payload = 0;
  readonly #pids: PidPattern;

  constructor({ name, creation }: Pick<Identity, 'name' | 'creation'>) {
    this.#pids = new PidPattern(name, creation);
  }

  /** Whom the frame in `bytes` from `start` to `end` is a message for; `undefined` where it goes the general way. */
  recipient(bytes: Buffer, start: number, end: number): Pid | undefined {
    const isSend =
      bytes[start] === PASS_THROUGH &&
      bytes[start + 1] === Tag.VERSION &&
      bytes[start + 2] === Tag.SMALL_TUPLE_EXT &&
      bytes[start + 3] === 3 &&
      bytes[start + 4] === Tag.SMALL_INTEGER_EXT &&
      bytes[start + 5] === SEND &&
      bytes[start + 6] === Tag.SMALL_ATOM_UTF8_EXT &&
      bytes[start + 7] === 0;
    const to = start + RECIPIENT;
    const payload = to + this.#pids.length;
    if (!isSend || payload >= end || !this.#pids.isAt(bytes, to, end)) return undefined;
    if (bytes[payload] !== Tag.VERSION) return undefined;
    this.payload = payload;
    return this.#pids.read(bytes, to);
  }
}
