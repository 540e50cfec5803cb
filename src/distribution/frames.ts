/**
 * Cuts a byte stream into length-prefixed frames. Two bytes of length during a handshake over TCP, four behind it.
 * Chunks are kept in a list as they came in; bytes are copied only when a frame spans chunks.
 */

import { MegaphoneError } from '../errors.js';

export class FrameReader {
  #lengthBytes: 2 | 4;
  #maxFrame: number;
  readonly #chunks: Buffer[] = [];
  /** Bytes of the first chunk that were handed out already. */
  #offset = 0;
  #buffered = 0;
  /** Length of the frame being read, -1 while its length is not complete. */
  #wanted = -1;

  constructor(lengthBytes: 2 | 4, maxFrame: number) {
    this.#lengthBytes = lengthBytes;
    this.#maxFrame = maxFrame;
  }

  /** The handshake is over: from the next frame on another length field and limit count. Buffered bytes stay. */
  switchTo(lengthBytes: 2 | 4, maxFrame: number): void {
    this.#lengthBytes = lengthBytes;
    this.#maxFrame = maxFrame;
  }

  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#buffered += chunk.length;
  }

  /**
   * The next complete frame without its length (an empty one is a tick), `undefined` when more bytes are needed.
   * A frame may be a view on a received chunk: who keeps it for long keeps the chunk.
   * @throws MegaphoneError LINK_FRAME_TOO_LONG, as soon as the length is known
   */
  next(): Buffer | undefined {
    if (this.#wanted < 0) {
      if (this.#buffered < this.#lengthBytes) return undefined;
      this.#wanted = this.#take(this.#lengthBytes).readUIntBE(0, this.#lengthBytes);
      if (this.#wanted > this.#maxFrame) {
        throw new MegaphoneError(
          'LINK_FRAME_TOO_LONG',
          `A frame of ${this.#wanted} bytes is longer than the limit of ${this.#maxFrame}`,
        );
      }
    }
    if (this.#buffered < this.#wanted) return undefined;
    const frame = this.#take(this.#wanted);
    this.#wanted = -1;
    return frame;
  }

  /** The caller has made sure that `size` bytes are there. */
  #take(size: number): Buffer {
    const first = this.#chunks[0] ?? EMPTY;
    const start = this.#offset;
    const end = start + size;
    if (end > first.length) return this.#join(size);
    this.#buffered -= size;
    if (end < first.length) {
      this.#offset = end;
    } else {
      this.#offset = 0;
      this.#chunks.shift();
    }
    return first.subarray(start, end);
  }

  #join(size: number): Buffer {
    const joined = Buffer.allocUnsafe(size);
    this.#buffered -= size;
    let filled = 0;
    let used = 0;
    while (filled < size) {
      const chunk = this.#chunks[used] as Buffer;
      const part = Math.min(chunk.length - this.#offset, size - filled);
      chunk.copy(joined, filled, this.#offset, this.#offset + part);
      filled += part;
      this.#offset += part;
      if (this.#offset < chunk.length) break;
      this.#offset = 0;
      used += 1;
    }
    // One splice for all: shifting chunk by chunk would be quadratic for a frame of many.
    this.#chunks.splice(0, used);
    return joined;
  }
}

const EMPTY = Buffer.alloc(0);
