/** Lines from bytes that come in any pieces. What is longer than a line may be is passed over, and told once it ends. */

import { isUtf8 } from 'node:buffer';
import { MegaphoneError } from '../errors.js';

/** Without its end. */
export const MAX_LINE_BYTES = 8 * 1024;

const LINE_FEED = 0x0a;
const EMPTY = Buffer.alloc(0);

/** A line, or why it is none. */
export type Read = string | MegaphoneError;

export class LineReader {
  /** What came of the line that is not whole yet; no more than may be. */
  #begun = EMPTY;
  #isTooLong = false;

  /** @returns what ends in these bytes, without empty lines */
  read(bytes: Buffer): Read[] {
    const lines: Read[] = [];
    let start = 0;
    for (let at = bytes.indexOf(LINE_FEED); at >= 0; at = bytes.indexOf(LINE_FEED, start)) {
      this.#add(bytes.subarray(start, at));
      lines.push(...this.end());
      start = at + 1;
    }
    this.#add(bytes.subarray(start));
    return lines;
  }

  /** The last line may lack its end. */
  end(): Read[] {
    const line = this.#take();
    return line === '' ? [] : [line];
  }

  #add(piece: Buffer): void {
    if (piece.length === 0 || this.#isTooLong) return;
    this.#isTooLong = this.#begun.length + piece.length > MAX_LINE_BYTES;
    // A copy: the piece is a view of far more.
    this.#begun = this.#isTooLong ? EMPTY : Buffer.concat([this.#begun, piece]);
  }

  #take(): Read {
    const line = this.#begun;
    const isTooLong = this.#isTooLong;
    this.#begun = EMPTY;
    this.#isTooLong = false;
    if (isTooLong) return bad(`it is longer than ${MAX_LINE_BYTES} bytes`, 'cut it');
    if (!isUtf8(line)) return bad('it is no UTF-8', 'iconv makes it so');
    const text = line.toString('utf8');
    // Of telnet, and of files of Windows.
    return text.endsWith('\r') ? text.slice(0, -1) : text;
  }
}

const bad = (message: string, hint: string): MegaphoneError =>
  new MegaphoneError('OUTSIDE_BAD_LINE', message, { hint });
