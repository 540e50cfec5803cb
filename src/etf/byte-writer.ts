/** Appends big-endian numbers and runs of bytes to one growing buffer, to be used again and again. */

const INITIAL_CAPACITY = 4096;
/** A buffer that grew beyond this for one large term is not kept. */
const KEPT_CAPACITY = 1 << 20;

export class ByteWriter {
  buffer = Buffer.allocUnsafeSlow(INITIAL_CAPACITY);
  length = 0;

  /** Starts afresh. */
  clear(): void {
    this.length = 0;
    if (this.buffer.length > KEPT_CAPACITY) this.buffer = Buffer.allocUnsafeSlow(INITIAL_CAPACITY);
  }

  /** What was written: a copy, or the buffer itself where copying would cost more than a new one. */
  take(): Buffer {
    const written = this.buffer.subarray(0, this.length);
    if (this.length > KEPT_CAPACITY) {
      this.buffer = Buffer.allocUnsafeSlow(INITIAL_CAPACITY);
      return written;
    }
    const copy = Buffer.allocUnsafe(this.length);
    copy.set(written);
    return copy;
  }

  uint8(value: number): void {
    this.reserve(1);
    this.buffer[this.length++] = value;
  }

  uint16(value: number): void {
    this.reserve(2);
    this.length = this.buffer.writeUInt16BE(value, this.length);
  }

  uint32(value: number): void {
    this.reserve(4);
    this.length = this.buffer.writeUInt32BE(value, this.length);
  }

  bytes(bytes: Uint8Array): void {
    this.reserve(bytes.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  /** Makes room for `count` more bytes; `buffer` may be another one afterwards. */
  reserve(count: number): void {
    const needed = this.length + count;
    if (needed <= this.buffer.length) return;
    const larger = Buffer.allocUnsafeSlow(Math.max(needed, 2 * this.buffer.length));
    larger.set(this.buffer.subarray(0, this.length));
    this.buffer = larger;
  }
}
