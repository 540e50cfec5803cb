/**
 * A text message that comes in pieces: a copy that grows, so that it takes no more than twice what came, however it was
 * cut, in fragments no more and no smaller than clients make them. Each byte is checked once, as it comes (RFC 6455 §8.1): what can never become UTF-8 is known at once.
 */

import { isUtf8 } from 'node:buffer';

/** Fragments that it may have, and one more for each `FRAGMENT_BYTES`: clients make few, of some KB each. */
export const MAX_FRAGMENTS = 1000;
const FRAGMENT_BYTES = 16;
const EMPTY = Buffer.alloc(0);
const FIRST_BYTES = 256;
/** What it takes beside its bytes. */
const OVERHEAD = 256;

export class TextMessage {
  readonly phase = 'between';
  #bytes: Buffer = EMPTY;
  #length = 0;
  #fragments = 0;
  /** Before this are whole code points. */
  #checked = 0;

  /** Bytes of memory. */
  get memory(): number {
    return OVERHEAD + this.#bytes.length;
  }

  get length(): number {
    return this.#length;
  }

  get text(): Buffer {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Whether it may end here: not within a code point. */
  get isWhole(): boolean {
    return this.#checked === this.#length;
  }

  /** @returns `false`: it has too many */
  beginFragment(): boolean {
    this.#fragments += 1;
    return this.#fragments <= MAX_FRAGMENTS + this.#length / FRAGMENT_BYTES;
  }

  /**
   * @param max what the whole message can have at most
   * @returns `false`: it is no UTF-8
   */
  add(from: Buffer, start: number, end: number, max: number): boolean {
    if (start === end) return true;
    const length = this.#length + end - start;
    if (length > this.#bytes.length) this.#grow(Math.min(max, Math.max(FIRST_BYTES, 2 * length)));
    from.copy(this.#bytes, this.#length, start, end);
    this.#length = length;
    return this.#check();
  }

  #grow(size: number): void {
    // Not from Node's pool, which would be kept as a whole.
    const larger = Buffer.allocUnsafeSlow(size);
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
  }

  #check(): boolean {
    const end = endOfWhole(this.#bytes, this.#checked, this.#length);
    const isValid = isUtf8(this.#bytes.subarray(this.#checked, end));
    this.#checked = end;
    return isValid;
  }
}

/** Where the code point that is cut off by `end` begins; `end`, if none is, or what is there can begin none. */
function endOfWhole(bytes: Buffer, start: number, end: number): number {
  for (let at = end - 1; at >= start && at > end - 4; at -= 1) {
    const byte = bytes[at] ?? 0;
    if (byte < 0x80) return end;
    if (byte >= 0xc0)
      return at + lengthOf(byte) > end && mayBegin(byte, at + 1 < end ? bytes[at + 1] : undefined) ? at : end;
  }
  return end;
}

const lengthOf = (lead: number): number => (lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4);

/** Neither too long a form, nor a surrogate, nor beyond U+10FFFF (RFC 3629 §4). */
function mayBegin(lead: number, next: number | undefined): boolean {
  if (lead < 0xc2 || lead > 0xf4) return false;
  if (next === undefined) return true;
  if (lead === 0xe0) return next >= 0xa0;
  if (lead === 0xed) return next < 0xa0;
  if (lead === 0xf0) return next >= 0x90;
  return lead !== 0xf4 || next < 0x90;
}
