/**
 * Cuts a byte stream into length-prefixed frames. Two bytes of length during a handshake over TCP, four behind it.
 * Chunks are kept in a list as they came in; bytes are copied only when a frame spans chunks.
 */

import { MegaphoneError } from '../errors.js';

const EMPTY = Buffer.alloc(0);

export class FrameReader {
  bytes: Buffer = EMPTY;
  start = 0;
  end = 0;
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
   * Moves on to the next complete frame, which then lies in `bytes` from `start` to `end`, without its length (an empty
   * one is a tick). It may lie in a received chunk: who keeps a part of it keeps the chunk.
   * @returns false when more bytes are needed
   * @throws MegaphoneError LINK_FRAME_TOO_LONG, as soon as the length is known
   */
  advance(): boolean {
    if (this.#wanted < 0 && !this.#readLength()) return false;
    if (this.#buffered < this.#wanted) return false;
    this.#take(this.#wanted);
    this.#wanted = -1;
    return true;
  }

  /** The frame that `advance` moves on to, as a view. */
  next(): Buffer | undefined {
    return this.advance() ? this.bytes.subarray(this.start, this.end) : undefined;
  }

  #readLength(): boolean {
    if (this.#buffered < this.#lengthBytes) return false;
    this.#take(this.#lengthBytes);
    let length = 0;
    for (let at = this.start; at < this.end; at += 1) length = length * 256 + (this.bytes[at] as number);
    if (length > this.#maxFrame) {
      throw new MegaphoneError(
        'LINK_FRAME_TOO_LONG',
        `A frame of ${length} bytes is longer than the limit of ${this.#maxFrame}`,
      );
    }
    this.#wanted = length;
    return true;
  }

  /** Moves on by `size` bytes. The caller has made sure that they are there. */
  #take(size: number): void {
    const first = this.#chunks[0] ?? EMPTY;
    const start = this.#offset;
    const end = start + size;
    if (end > first.length) {
      this.bytes = this.#join(size);
      this.start = 0;
      this.end = size;
      return;
    }
    this.#buffered -= size;
    if (end < first.length) {
      this.#offset = end;
    } else {
      this.#offset = 0;
      this.#chunks.shift();
    }
    this.bytes = first;
    this.start = start;
    this.end = end;
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
