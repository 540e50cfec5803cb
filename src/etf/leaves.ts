/**
 * Reads the rarer terms that hold no others: references, floats, big integers, bit strings and exported funs. The common ones
 * are read where decode.ts meets them.
 */

import { atomName } from './atom-name.js';
import type { ByteReader } from './byte-reader.js';
import * as Tag from './tags.js';
import { BitString, Float, Opaque, Reference } from './terms.js';

const MAX_REFERENCE_WORDS = 5;

export function reference(reader: ByteReader, tag: number): Reference {
  const words = reader.uint16();
  const node = atomName(reader, reader.uint8());
  const creation = tag === Tag.NEWER_REFERENCE_EXT ? reader.uint32() : reader.uint8();
  reader.need(4 * words);
  if (words < 1 || words > MAX_REFERENCE_WORDS) {
    throw reader.fault('ETF_BAD_IDENTIFIER', `a reference has 1 to 5 words, not ${words}`);
  }
  const ids = new Array<number>(words);
  for (let index = 0; index < words; index++) ids[index] = reader.uint32();
  return new Reference(node, creation, ids);
}

export function oldReference(reader: ByteReader): Reference {
  const node = atomName(reader, reader.uint8());
  const id = reader.uint32();
  return new Reference(node, reader.uint8(), [id]);
}

export function float(reader: ByteReader): Float {
  const value = reader.float64();
  if (!Number.isFinite(value)) {
    throw reader.fault('ETF_BAD_FLOAT', `Erlang has no float ${value}`, reader.offset - 8);
  }
  return new Float(value);
}

/** FLOAT_EXT: `sprintf("%.20e")`, padded with zeros to 31 bytes. */
export function textFloat(reader: ByteReader): Float {
  const bytes = reader.take(31);
  const text = /^(-?\d+\.\d+e[+-]\d+)\0*$/.exec(bytes.toString('latin1'))?.[1];
  const value = text === undefined ? Number.NaN : Number(text);
  if (!Number.isFinite(value)) {
    throw reader.fault('ETF_BAD_FLOAT', 'an old float is no number', reader.offset - 31);
  }
  return new Float(value);
}

export function big(reader: ByteReader, length: number): number | bigint {
  const negative = reader.uint8() !== 0;
  const magnitude = reader.take(length);
  if (length <= 6) {
    const value = length === 0 ? 0 : magnitude.readUIntLE(0, length);
    return negative && value !== 0 ? -value : value;
  }
  // Times in microseconds, and with them the numbers of comet's messages, have seven bytes.
  const top = magnitude[6] ?? 0;
  if (length === 7 && top < 0x20) {
    const value = top * 2 ** 48 + magnitude.readUIntLE(0, 6);
    return negative && value !== 0 ? -value : value;
  }
  // Hexadecimal text is the one linear way into a BigInt.
  const value = BigInt(`0x${Buffer.from(magnitude).reverse().toString('hex')}`);
  const signed = negative ? -value : value;
  return signed >= Number.MIN_SAFE_INTEGER && signed <= Number.MAX_SAFE_INTEGER ? Number(signed) : signed;
}

export function bitString(reader: ByteReader): Uint8Array | BitString {
  const length = reader.uint32();
  const lastBits = reader.uint8();
  const bytes = reader.take(length);
  if (lastBits === 8 && length > 0) return bytes;
  if (lastBits === 0 && length === 0) return bytes;
  if (lastBits < 1 || lastBits > 7 || length === 0) {
    throw reader.fault('ETF_BAD_BITSTRING', `no bit string ends with ${lastBits} bits of ${length} bytes`);
  }
  return new BitString(bytes, lastBits);
}

/** `fun M:F/A`: an atom, an atom and a small integer. */
export function exported(reader: ByteReader): Opaque {
  const start = reader.offset - 1;
  atomName(reader, reader.uint8());
  atomName(reader, reader.uint8());
  const tag = reader.uint8();
  if (tag !== Tag.SMALL_INTEGER_EXT) throw reader.fault('ETF_BAD_FUN', 'an export ends with its arity');
  reader.uint8();
  return new Opaque(reader.bytes.subarray(start, reader.offset));
}
