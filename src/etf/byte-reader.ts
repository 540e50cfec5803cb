/** Takes big-endian numbers and runs of bytes from a buffer, and never more than is there. */
import { type EtfCode, EtfError } from './error.js';

export class ByteReader {
  readonly bytes: Buffer;
  offset: number;

  constructor(bytes: Uint8Array, offset: number) {
    this.bytes = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.offset = offset;
  }

  uint8(): number {
    this.need(1);
    return this.bytes[this.offset++] as number;
  }

  uint16(): number {
    const start = this.skip(2);
    return this.bytes.readUInt16BE(start);
  }

  uint32(): number {
    const start = this.skip(4);
    return this.bytes.readUInt32BE(start);
  }

  uint64(): number | bigint {
    const high = this.uint32();
    const low = this.uint32();
    return high < 1 << 21 ? high * 2 ** 32 + low : (BigInt(high) << 32n) | BigInt(low);
  }

  float64(): number {
    const start = this.skip(8);
    return this.bytes.readDoubleBE(start);
  }

  /** A view, no copy. */
  take(length: number): Buffer {
    const start = this.skip(length);
    return this.bytes.subarray(start, this.offset);
  }

  /** Steps over `length` bytes and returns where they start. */
  skip(length: number): number {
    this.need(length);
    const start = this.offset;
    this.offset += length;
    return start;
  }

  need(length: number): void {
    const left = this.bytes.length - this.offset;
    if (length > left) throw this.fault('ETF_TRUNCATED', `${length} bytes are due and ${left} are left`);
  }

  /** An error that names the offset, by default the current one. */
  fault(code: EtfCode, what: string, at = this.offset, hint?: string): EtfError {
    return new EtfError(code, `${what}, at byte ${at} of ${this.bytes.length}`, hint);
  }
}
