/**
 * The short way for what sessions send to WebSockets, read where it lies in the received bytes:
 *
 *   131 104 3 PID  119 5 'frame'  BODY      131 104 4 PID  119 5 'frame'  BODY NUMBER      131 104 3 PID  119 5 'taken'  NUMBER
 *
 * BODY is 109, its length in four bytes, and its bytes; NUMBER 97 and a byte or 98 and four (External Term Format). A message
 * that looks different goes the general way (`readSocketMessage`), which would come to the same.
 */

import { PidPattern } from '../etf/pid-pattern.js';
import * as Tag from '../etf/tags.js';

const ATOM = Buffer.of(Tag.SMALL_ATOM_UTF8_EXT, 5);
const FRAME = Buffer.concat([ATOM, Buffer.from('frame')]);
const TAKEN = Buffer.concat([ATOM, Buffer.from('taken')]);
const NOTHING = Buffer.alloc(0);

export class SocketReader {
  /** Of the latest message: its ConnId, */
  id = 0;
  serial = 0;
  /** the text of a frame, a view of the received bytes, or `undefined` where it says what was taken; */
  text: Buffer | undefined = NOTHING;
  /** the number that is to be told when the client has the frame, 0 for none; or how many frames were taken. */
  number = 0;
  readonly #connIds: PidPattern;

  /** @param node the gateway's own */
  constructor(node: string, creation: number) {
    this.#connIds = new PidPattern(node, creation);
  }

  /** Reads the message in `bytes` from `start` to `end`; `false` where it takes the general way. */
  read(bytes: Buffer, start: number, end: number): boolean {
    const connIdAt = start + 3;
    const wordAt = connIdAt + this.#connIds.length;
    const at = wordAt + FRAME.length;
    if (bytes[start] !== Tag.VERSION || bytes[start + 1] !== Tag.SMALL_TUPLE_EXT) return false;
    // The shortest number takes two bytes, and the shortest text more.
    if (at + 2 > end || !this.#connIds.isAt(bytes, connIdAt, end)) return false;
    const arity = bytes[start + 2] as number;
    if (isAt(bytes, wordAt, FRAME) && (arity === 3 || arity === 4)) {
      if (!this.#frame(bytes, at, end, arity === 4)) return false;
    } else if (isAt(bytes, wordAt, TAKEN) && arity === 3) {
      this.text = undefined;
      if (!this.#lastNumber(bytes, at, end)) return false;
    } else {
      return false;
    }
    const idAt = wordAt - 12;
    this.id = bytes.readUInt32BE(idAt);
    this.serial = bytes.readUInt32BE(idAt + 4);
    return true;
  }

  #frame(bytes: Buffer, at: number, end: number, hasNumber: boolean): boolean {
    const textAt = at + 5;
    if (bytes[at] !== Tag.BINARY_EXT || textAt > end) return false;
    const textEnd = textAt + bytes.readUInt32BE(at + 1);
    this.number = 0;
    if (hasNumber ? textEnd >= end || !this.#lastNumber(bytes, textEnd, end) : textEnd !== end) return false;
    this.text = bytes.subarray(textAt, textEnd);
    return true;
  }

  /** The number that the message ends with. */
  #lastNumber(bytes: Buffer, at: number, end: number): boolean {
    if (bytes[at] === Tag.SMALL_INTEGER_EXT && at + 2 === end) this.number = bytes[at + 1] as number;
    else if (bytes[at] === Tag.INTEGER_EXT && at + 5 === end) this.number = bytes.readInt32BE(at + 1);
    else return false;
    return this.number > 0;
  }
}

function isAt(bytes: Buffer, at: number, word: Buffer): boolean {
  for (let index = 0; index < word.length; index += 1) {
    if (bytes[at + index] !== word[index]) return false;
  }
  return true;
}
