/** The masking of what clients send (RFC 6455 §5.3). */

import { endianness } from 'node:os';

/** From so many bytes on, a view that takes four at a time is worth its making. */
const WORTH_WORDS = 256;
const IS_LITTLE = endianness() === 'LE';

/**
 * Unmasks in place.
 * @param key big-endian, its first byte belongs to the first of these bytes
 */
export function unmask(bytes: Buffer, start: number, end: number, key: number): void {
  if (end - start < WORTH_WORDS) {
    unmaskBytes(bytes, start, end, key);
    return;
  }
  const ahead = -(bytes.byteOffset + start) & 3;
  unmaskBytes(bytes, start, start + ahead, key);
  const count = (end - start - ahead) >> 2;
  const rotated = rotate(key, ahead);
  const word = IS_LITTLE ? swap(rotated) : rotated;
  const words = new Int32Array(bytes.buffer, bytes.byteOffset + start + ahead, count);
  for (let i = 0; i < count; i += 1) words[i] = (words[i] as number) ^ word;
  unmaskBytes(bytes, start + ahead + 4 * count, end, rotated);
}

/** The key of what stands so many bytes further on. */
export const rotate = (key: number, count: number): number => {
  const bits = (count & 3) * 8;
  return bits === 0 ? key : (key << bits) | (key >>> (32 - bits));
};

function unmaskBytes(bytes: Buffer, start: number, end: number, key: number): void {
  const first = key >>> 24;
  const second = (key >>> 16) & 0xff;
  const third = (key >>> 8) & 0xff;
  const fourth = key & 0xff;
  let at = start;
  for (; at + 3 < end; at += 4) {
    bytes[at] = (bytes[at] as number) ^ first;
    bytes[at + 1] = (bytes[at + 1] as number) ^ second;
    bytes[at + 2] = (bytes[at + 2] as number) ^ third;
    bytes[at + 3] = (bytes[at + 3] as number) ^ fourth;
  }
  if (at < end) bytes[at] = (bytes[at] as number) ^ first;
  if (at + 1 < end) bytes[at + 1] = (bytes[at + 1] as number) ^ second;
  if (at + 2 < end) bytes[at + 2] = (bytes[at + 2] as number) ^ third;
}

const swap = (word: number): number =>
  (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24);
