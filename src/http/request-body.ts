/**
 * The body of a request as it comes in. One that came in one piece stays where it was read; of others, whose pieces
 * may be a byte each, a copy grows, so that they never take more than twice their size.
 */

const EMPTY = Buffer.alloc(0);
const FIRST_BYTES = 1024;

export class RequestBody {
  #max: number;
  #bytes: Buffer = EMPTY;
  #length = 0;
  /** Whether `#bytes` is ours to write to. */
  #isOwn = false;

  /** @param max bytes */
  constructor(max: number) {
    this.#max = max;
  }

  /** @param max bytes, said before any came */
  allow(max: number): void {
    this.#max = max;
  }

  get bytes(): Buffer {
    return this.#length === this.#bytes.length ? this.#bytes : this.#bytes.subarray(0, this.#length);
  }

  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** Bytes of memory that are its own. */
  get capacity(): number {
    return this.#isOwn ? this.#bytes.length : 0;
  }

  #clear(): void {
    this.#bytes = EMPTY;
    this.#length = 0;
    this.#isOwn = false;
  }

  /** `false`: larger than allowed, and forgotten. */
  add(from: Buffer, start: number, end: number): boolean {
    const length = this.#length + end - start;
    if (length > this.#max) {
      this.#clear();
      return false;
    }
    if (this.isEmpty) {
      this.#bytes = from.subarray(start, end);
    } else {
      this.#reserve(length);
      from.copy(this.#bytes, this.#length, start, end);
    }
    this.#length = length;
    return true;
  }

  /** Copies what still lies in the bytes of others: those are large, and a body that comes in pieces may take long. */
  own(): void {
    if (!this.isEmpty && !this.#isOwn) this.#reserve(this.#length);
  }

  #reserve(length: number): void {
    if (this.#isOwn && length <= this.#bytes.length) return;
    const size = Math.min(this.#max, Math.max(FIRST_BYTES, 2 * length));
    // Not from Node's pool, which would be kept as a whole.
    const larger = Buffer.allocUnsafeSlow(size);
    this.#bytes.copy(larger, 0, 0, this.#length);
    this.#bytes = larger;
    this.#isOwn = true;
  }
}
