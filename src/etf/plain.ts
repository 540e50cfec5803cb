/**
 * Encodes plain JavaScript data (request metadata, statistics) with erlpack, ready to stand inside our own terms.
 *
 * Strings become binaries, objects maps with binary keys, arrays lists, `null` and `undefined` the atom `nil`,
 * safe integers integers and other numbers floats. A lone surrogate becomes U+FFFD.
 *
 * erlpack trusts its input: a bigint, function or symbol leaves it with bytes that are no term, NaN with a float
 * that makes the peer drop the connection, and an exception in a getter ends the whole process. So the value is
 * looked through before. erlpack also writes integers beyond 32 bits (and -0) as floats and a key like "7" as an
 * integer; data with one of those goes through our own encoder instead. Its atoms have an old tag, SMALL_ATOM_EXT, that
 * not every reader knows (jinterface does not): they get the one that all atoms have between nodes.
 */
import { createRequire } from 'node:module';
import { types } from 'node:util';
import { encode } from './encode.js';
import { EtfError } from './error.js';
import * as Tag from './tags.js';
import { atom, binary, Float, type Term } from './terms.js';

export type Plain =
  | null
  | undefined
  | boolean
  | number
  | string
  | readonly Plain[]
  | { readonly [key: string]: Plain };

interface Erlpack {
  pack(value: Plain): Buffer;
}

/** `undefined` where it was not built: it takes a compiler, and installs may keep packages from building anything. */
const erlpack = loadErlpack();
export const hasErlpack = erlpack !== undefined;
export const NO_ERLPACK =
  'erlpack is not built here, which takes a C++ compiler: an encoder in JavaScript takes its place';

/** A CommonJS package whose types say `any`. */
function loadErlpack(): Erlpack | undefined {
  try {
    return createRequire(import.meta.url)('erlpack');
  } catch {
    return undefined;
  }
}

/** Where erlpack gives up. */
const MAX_DEPTH = 256;

/** One term without its version byte; wrap it in `Opaque` to put it into another term. Throws EtfError. */
export function encodePlain(value: Plain): Buffer {
  // Whatever encodes it: what is no plain data is refused.
  const suits = suitsErlpack(value, MAX_DEPTH);
  return suits && erlpack ? renewAtoms(erlpack.pack(value)).subarray(1) : encode(toTerm(value));
}

/** Throws for what is no plain data; false for what erlpack would change. */
function suitsErlpack(value: unknown, depth: number): boolean {
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'undefined':
      return true;
    case 'number':
      if (!Number.isFinite(value)) throw new EtfError('ETF_BAD_FLOAT', `Erlang has no float ${value}`);
      return !Number.isSafeInteger(value) || Object.is(value | 0, value) || Object.is(value >>> 0, value);
    case 'object':
      return value === null || suitsErlpackInside(value, depth);
    default:
      throw notPlain(typeof value);
  }
}

function suitsErlpackInside(value: object, depth: number): boolean {
  if (depth === 0) throw new EtfError('ETF_TOO_DEEP', `plain data nested deeper than ${MAX_DEPTH}`);
  if (types.isProxy(value)) throw notPlain('a proxy');
  const entries = Object.entries(value);
  let suits = true;
  if (Array.isArray(value)) {
    // erlpack takes the keys for the elements.
    if (entries.length !== value.length) throw notPlain('a sparse array');
  } else {
    const prototype = Object.getPrototypeOf(value);
    if (prototype !== Object.prototype && prototype !== null) throw notPlain('an instance');
    suits = !entries.some(([key]) => /^\d+$/.test(key));
  }
  for (const [, item] of entries) if (!suitsErlpack(item, depth - 1)) suits = false;
  return suits;
}

/**
 * SMALL_ATOM_EXT becomes SMALL_ATOM_UTF8_EXT, which has the same layout, in place. Containers need no stack: what is in
 * them follows their count, term after term.
 */
function renewAtoms(bytes: Buffer): Buffer {
  let at = 1;
  while (at < bytes.length) {
    const tag = bytes[at];
    if (tag === Tag.SMALL_ATOM_EXT) bytes[at] = Tag.SMALL_ATOM_UTF8_EXT;
    at += lengthAt(bytes, at, tag);
  }
  return bytes;
}

/** Bytes of what erlpack wrote at `at`: of a container without what is in it. */
function lengthAt(bytes: Buffer, at: number, tag: number | undefined): number {
  switch (tag) {
    case Tag.NIL_EXT:
      return 1;
    case Tag.SMALL_INTEGER_EXT:
      return 2;
    case Tag.INTEGER_EXT:
    case Tag.MAP_EXT:
    case Tag.LIST_EXT:
      return 5;
    case Tag.NEW_FLOAT_EXT:
      return 9;
    case Tag.SMALL_ATOM_EXT:
      return 2 + bytes.readUInt8(at + 1);
    case Tag.SMALL_BIG_EXT:
      return 3 + bytes.readUInt8(at + 1);
    case Tag.BINARY_EXT:
      return 5 + bytes.readUInt32BE(at + 1);
    default:
      throw new EtfError('ETF_BAD_TAG', `erlpack wrote the tag ${tag}`);
  }
}

function toTerm(value: Plain): Term {
  if (value === null || value === undefined) return atom('nil');
  if (typeof value === 'boolean') return atom(String(value));
  if (typeof value === 'number') return Number.isSafeInteger(value) ? value : new Float(value);
  if (typeof value === 'string') return binary(value);
  if (isArray(value)) return value.map(toTerm);
  return new Map(Object.entries(value).map(([key, item]) => [binary(key), toTerm(item)]));
}

/** `Array.isArray` does not narrow readonly arrays. */
function isArray(value: Plain): value is readonly Plain[] {
  return Array.isArray(value);
}

function notPlain(what: string): EtfError {
  return new EtfError('ETF_NOT_A_TERM', `${what} is no plain data`);
}
