/** Reads the names of atoms: of atoms proper, and of the nodes, modules and functions within other terms. */
import { isUtf8 } from 'node:buffer';
import { badTag } from './bad-tag.js';
import type { ByteReader } from './byte-reader.js';
import type { EtfError } from './error.js';
import * as Tag from './tags.js';

const MAX_CHARACTERS = 255;

/** The name behind `tag`, which was just read. Throws EtfError for the tag of anything but an atom. */
export function atomName(reader: ByteReader, tag: number): string {
  switch (tag) {
    case Tag.SMALL_ATOM_UTF8_EXT:
      return utf8Name(reader, reader.uint8());
    case Tag.ATOM_UTF8_EXT:
      return utf8Name(reader, reader.uint16());
    case Tag.SMALL_ATOM_EXT:
      return latin1Name(reader, reader.uint8());
    case Tag.ATOM_EXT:
      return latin1Name(reader, reader.uint16());
    default:
      throw badTag(reader, tag);
  }
}

function latin1Name(reader: ByteReader, length: number): string {
  const start = reader.skip(length);
  if (length > MAX_CHARACTERS) throw tooLong(reader, start);
  return reader.bytes.toString('latin1', start, reader.offset);
}

function utf8Name(reader: ByteReader, length: number): string {
  const start = reader.skip(length);
  const { bytes, offset: end } = reader;
  if (length > 4 * MAX_CHARACTERS) throw tooLong(reader, start);
  let bits = 0;
  for (let index = start; index < end; index++) bits |= bytes[index] as number;
  // Nearly every atom is ASCII, for which Latin-1 decodes faster.
  if (bits < 0x80) {
    if (length > MAX_CHARACTERS) throw tooLong(reader, start);
    return bytes.toString('latin1', start, end);
  }
  // Decoding would replace a broken sequence by U+FFFD, and so turn one atom into another.
  if (!isUtf8(bytes.subarray(start, end))) throw reader.fault('ETF_BAD_ATOM', 'an atom is not UTF-8', start);
  const name = bytes.toString('utf8', start, end);
  if (name.length > MAX_CHARACTERS && [...name].length > MAX_CHARACTERS) throw tooLong(reader, start);
  return name;
}

function tooLong(reader: ByteReader, start: number): EtfError {
  return reader.fault('ETF_BAD_ATOM', 'an atom has at most 255 characters', start);
}
