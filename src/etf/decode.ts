/**
 * Reads Erlang terms from the external term format
 * (https://www.erlang.org/doc/apps/erts/erl_ext_dist.html): all that OTP 25 and newer send, and the older forms.
 *
 * Bytes are not to be trusted: every length is compared with the bytes that are there before anything is
 * allocated for it, and every fault is an EtfError with the byte offset. Binaries are views of the input, no
 * copies: whoever keeps one keeps the whole input alive.
 */
import { isUtf8 } from 'node:buffer';
import { MAX_DEPTH } from './encode.js';
import { type EtfCode, EtfError } from './error.js';
import * as Tag from './tags.js';
import {
  Atom,
  BitString,
  Float,
  ImproperList,
  Opaque,
  Pid,
  Port,
  Reference,
  type Term,
  Tuple,
} from './terms.js';

export interface DecodeLimits {
  /** Bytes of input. */
  readonly maxBytes: number;
  /** Nesting of tuples, lists, maps and funs; up to about 2000, as every level takes stack. */
  readonly maxDepth: number;
  /** Elements of all tuples, lists, strings and maps (a pair is two) together: what bounds memory. */
  readonly maxElements: number;
}

export const DEFAULT_LIMITS: DecodeLimits = {
  maxBytes: 64 * 1024 * 1024,
  maxDepth: MAX_DEPTH,
  maxElements: 1024 * 1024,
};

/** The one term that `bytes` holds, without a leading version byte. Throws EtfError. */
export function decode(bytes: Uint8Array, limits: DecodeLimits = DEFAULT_LIMITS): Term {
  return new Reader(bytes, 0, limits).whole();
}

/** The one term that `bytes` holds behind its version byte 131, e.g. a message's payload. Throws EtfError. */
export function decodeVersioned(bytes: Uint8Array, limits: DecodeLimits = DEFAULT_LIMITS): Term {
  const reader = new Reader(bytes, 0, limits);
  reader.version();
  return reader.whole();
}

/**
 * The term that starts, with its version byte 131, at `offset`, and the offset behind it: a frame carries a
 * control message and often a message in a row. Throws EtfError.
 */
export function decodePrefix(
  bytes: Uint8Array,
  offset: number,
  limits: DecodeLimits = DEFAULT_LIMITS,
): { readonly term: Term; readonly end: number } {
  const reader = new Reader(bytes, offset, limits);
  reader.version();
  const term = reader.term();
  return { term, end: reader.offset };
}

const MAX_ATOM_CHARACTERS = 255;
const MAX_REFERENCE_WORDS = 5;
const EMPTY_MAP: ReadonlyMap<Term, Term> = new Map();
const EMPTY: readonly Term[] = Object.freeze([]);

class Reader {
  readonly #bytes: Buffer;
  readonly #limits: DecodeLimits;
  #offset: number;
  #elementsLeft: number;
  /** Compound map keys are compared by their bytes; nested in each other they would be read over and over. */
  #keyBytesLeft: number;

  constructor(bytes: Uint8Array, offset: number, limits: DecodeLimits) {
    this.#bytes = Buffer.isBuffer(bytes)
      ? bytes
      : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#offset = offset;
    this.#limits = limits;
    this.#elementsLeft = limits.maxElements;
    this.#keyBytesLeft = limits.maxBytes;
    if (bytes.length - offset > limits.maxBytes) {
      throw this.#fault(
        'ETF_TOO_LARGE',
        `${bytes.length - offset} bytes exceed the limit of ${limits.maxBytes}`,
      );
    }
  }

  get offset(): number {
    return this.#offset;
  }

  version(): void {
    const version = this.#uint8();
    if (version === Tag.VERSION) return;
    throw this.#fault('ETF_BAD_VERSION', `version byte ${version} instead of 131`, this.#offset - 1);
  }

  /** A term that ends where the bytes end. */
  whole(): Term {
    const term = this.term();
    const left = this.#bytes.length - this.#offset;
    if (left > 0) throw this.#fault('ETF_TRAILING_BYTES', `${left} bytes behind the term`);
    return term;
  }

  term(): Term {
    return this.#term(this.#limits.maxDepth);
  }

  #term(depth: number): Term {
    const tag = this.#uint8();
    switch (tag) {
      case Tag.SMALL_INTEGER_EXT:
        return this.#uint8();
      case Tag.INTEGER_EXT:
        return this.#uint32() | 0;
      case Tag.BINARY_EXT:
        return this.#take(this.#uint32());
      case Tag.SMALL_ATOM_UTF8_EXT:
      case Tag.ATOM_UTF8_EXT:
      case Tag.SMALL_ATOM_EXT:
      case Tag.ATOM_EXT:
        return new Atom(this.#atomName(tag));
      case Tag.SMALL_TUPLE_EXT:
        return new Tuple(this.#elements(this.#uint8(), depth));
      case Tag.LARGE_TUPLE_EXT:
        return new Tuple(this.#elements(this.#uint32(), depth));
      case Tag.NIL_EXT:
        return EMPTY;
      case Tag.LIST_EXT:
        return this.#list(depth);
      case Tag.STRING_EXT:
        return this.#string();
      case Tag.MAP_EXT:
        return this.#map(depth);
      case Tag.NEW_PID_EXT:
        return new Pid(this.#nodeName(), this.#uint32(), this.#uint32(), this.#uint32());
      case Tag.PID_EXT:
        return new Pid(this.#nodeName(), this.#uint32(), this.#uint32(), this.#uint8());
      case Tag.NEWER_REFERENCE_EXT:
      case Tag.NEW_REFERENCE_EXT:
        return this.#reference(tag);
      case Tag.REFERENCE_EXT:
        return this.#oldReference();
      case Tag.NEW_PORT_EXT:
        return new Port(this.#nodeName(), this.#uint32(), this.#uint32());
      case Tag.PORT_EXT:
        return new Port(this.#nodeName(), this.#uint32(), this.#uint8());
      case Tag.V4_PORT_EXT:
        return new Port(this.#nodeName(), this.#uint64(), this.#uint32());
      case Tag.NEW_FLOAT_EXT:
        return this.#float();
      case Tag.FLOAT_EXT:
        return this.#textFloat();
      case Tag.SMALL_BIG_EXT:
        return this.#big(this.#uint8());
      case Tag.LARGE_BIG_EXT:
        return this.#big(this.#uint32());
      case Tag.BIT_BINARY_EXT:
        return this.#bitString();
      case Tag.EXPORT_EXT:
        return this.#export();
      case Tag.NEW_FUN_EXT:
        return this.#fun(depth);
      default:
        throw this.#badTag(tag);
    }
  }

  /** The elements of a tuple. */
  #elements(count: number, depth: number): readonly Term[] {
    if (count === 0) return EMPTY;
    this.#claim(count, count, depth);
    const elements = new Array<Term>(count);
    for (let index = 0; index < count; index++) elements[index] = this.#term(depth - 1);
    return elements;
  }

  /** A list whose tail is a list again is one list: a loop, so that it needs no depth. */
  #list(depth: number): Term {
    const items: Term[] = [];
    for (;;) {
      const count = this.#uint32();
      this.#claim(count, count + 1, depth);
      for (let index = 0; index < count; index++) items.push(this.#term(depth - 1));
      const tag = this.#bytes[this.#offset];
      if (tag === Tag.LIST_EXT) {
        this.#offset++;
      } else if (tag === Tag.NIL_EXT) {
        this.#offset++;
        return items;
      } else if (tag === Tag.STRING_EXT) {
        this.#offset++;
        for (const byte of this.#string()) items.push(byte);
        return items;
      } else {
        const tail = this.#term(depth - 1);
        return items.length === 0 ? tail : new ImproperList(items, tail);
      }
    }
  }

  #string(): number[] {
    const length = this.#uint16();
    this.#claim(length, length, 1);
    const start = this.#offset;
    this.#offset += length;
    return Array.from(this.#bytes.subarray(start, this.#offset));
  }

  #map(depth: number): ReadonlyMap<Term, Term> {
    const count = this.#uint32();
    if (count === 0) return EMPTY_MAP;
    this.#claim(2 * count, 2 * count, depth);
    const map = new Map<Term, Term>();
    const seen = new Set<number | bigint | string>();
    for (let index = 0; index < count; index++) {
      const start = this.#offset;
      const key = this.#term(depth - 1);
      const identity = count === 1 ? 0 : this.#identity(key, start);
      if (seen.has(identity)) throw this.#fault('ETF_DUPLICATE_KEY', 'a map has the same key twice', start);
      seen.add(identity);
      map.set(key, this.#term(depth - 1));
    }
    return map;
  }

  /** Equal keys have equal identities, in whichever form their peer wrote them. */
  #identity(key: Term, start: number): number | bigint | string {
    if (typeof key === 'number' || typeof key === 'bigint') return key;
    if (key instanceof Atom) return `a${key.name}`;
    if (key instanceof Uint8Array)
      return `b${this.#bytes.toString('latin1', this.#offset - key.length, this.#offset)}`;
    this.#keyBytesLeft -= this.#offset - start;
    if (this.#keyBytesLeft < 0) throw this.#fault('ETF_TOO_LARGE', 'map keys nested in map keys', start);
    return `t${this.#bytes.toString('latin1', start, this.#offset)}`;
  }

  #atomName(tag: number): string {
    switch (tag) {
      case Tag.SMALL_ATOM_UTF8_EXT:
        return this.#utf8Name(this.#uint8());
      case Tag.ATOM_UTF8_EXT:
        return this.#utf8Name(this.#uint16());
      case Tag.SMALL_ATOM_EXT:
        return this.#latin1Name(this.#uint8());
      case Tag.ATOM_EXT:
        return this.#latin1Name(this.#uint16());
      default:
        throw this.#badTag(tag, 'an atom was due');
    }
  }

  #latin1Name(length: number): string {
    this.#need(length);
    if (length > MAX_ATOM_CHARACTERS) throw this.#longAtom(length);
    const start = this.#offset;
    this.#offset += length;
    return this.#bytes.toString('latin1', start, this.#offset);
  }

  #utf8Name(length: number): string {
    this.#need(length);
    if (length > 4 * MAX_ATOM_CHARACTERS) throw this.#longAtom(length);
    const start = this.#offset;
    const end = start + length;
    let bits = 0;
    for (let index = start; index < end; index++) bits |= this.#bytes[index] as number;
    this.#offset = end;
    if (bits < 0x80) {
      if (length > MAX_ATOM_CHARACTERS) throw this.#longAtom(length);
      return this.#bytes.toString('latin1', start, end);
    }
    // Decoding would replace a broken sequence by U+FFFD, and so turn one atom into another.
    if (!isUtf8(this.#bytes.subarray(start, end)))
      throw this.#fault('ETF_BAD_ATOM', 'an atom is not UTF-8', start);
    const name = this.#bytes.toString('utf8', start, end);
    if (name.length > MAX_ATOM_CHARACTERS && [...name].length > MAX_ATOM_CHARACTERS)
      throw this.#longAtom(length);
    return name;
  }

  #nodeName(): string {
    return this.#atomName(this.#uint8());
  }

  #reference(tag: number): Reference {
    const words = this.#uint16();
    const node = this.#nodeName();
    const creation = tag === Tag.NEWER_REFERENCE_EXT ? this.#uint32() : this.#uint8();
    this.#need(4 * words);
    if (words < 1 || words > MAX_REFERENCE_WORDS) {
      throw this.#fault('ETF_BAD_IDENTIFIER', `a reference has 1 to 5 words, not ${words}`);
    }
    const ids = new Array<number>(words);
    for (let index = 0; index < words; index++) ids[index] = this.#uint32();
    return new Reference(node, creation, ids);
  }

  #oldReference(): Reference {
    const node = this.#nodeName();
    const id = this.#uint32();
    return new Reference(node, this.#uint8(), [id]);
  }

  #float(): Float {
    this.#need(8);
    const value = this.#bytes.readDoubleBE(this.#offset);
    if (!Number.isFinite(value)) throw this.#fault('ETF_BAD_FLOAT', `Erlang has no float ${value}`);
    this.#offset += 8;
    return new Float(value);
  }

  /** FLOAT_EXT: `sprintf("%.20e")`, padded with zeros to 31 bytes. */
  #textFloat(): Float {
    const bytes = this.#take(31);
    const text = /^(-?\d+\.\d+e[+-]\d+)\0*$/.exec(bytes.toString('latin1'))?.[1];
    const value = text === undefined ? Number.NaN : Number(text);
    if (!Number.isFinite(value))
      throw this.#fault('ETF_BAD_FLOAT', 'an old float is no number', this.#offset - 31);
    return new Float(value);
  }

  #big(length: number): number | bigint {
    const negative = this.#uint8() !== 0;
    const magnitude = this.#take(length);
    if (length <= 6) {
      const value = length === 0 ? 0 : magnitude.readUIntLE(0, length);
      return negative && value !== 0 ? -value : value;
    }
    // Hexadecimal text is the one linear way into a BigInt.
    const value = BigInt(`0x${Buffer.from(magnitude).reverse().toString('hex')}`);
    const signed = negative ? -value : value;
    return signed >= Number.MIN_SAFE_INTEGER && signed <= Number.MAX_SAFE_INTEGER ? Number(signed) : signed;
  }

  #bitString(): Uint8Array | BitString {
    const length = this.#uint32();
    const lastBits = this.#uint8();
    const bytes = this.#take(length);
    if (lastBits === 8 && length > 0) return bytes;
    if (lastBits === 0 && length === 0) return bytes;
    if (lastBits < 1 || lastBits > 7 || length === 0) {
      throw this.#fault('ETF_BAD_BITSTRING', `no bit string ends with ${lastBits} bits of ${length} bytes`);
    }
    return new BitString(bytes, lastBits);
  }

  /** `fun M:F/A`: an atom, an atom and a small integer. */
  #export(): Opaque {
    const start = this.#offset - 1;
    this.#nodeName();
    this.#nodeName();
    const tag = this.#uint8();
    if (tag !== Tag.SMALL_INTEGER_EXT) throw this.#fault('ETF_BAD_FUN', 'an export ends with its arity');
    this.#uint8();
    return new Opaque(this.#bytes.subarray(start, this.#offset));
  }

  /** Read through although it stays opaque: echoed to a peer, a broken one would cost us the connection. */
  #fun(depth: number): Opaque {
    const start = this.#offset - 1;
    const size = this.#uint32();
    this.#need(size - 4);
    this.#need(25);
    const end = start + 1 + size;
    this.#offset += 21; // arity, uniq, index
    const free = this.#uint32();
    this.#nodeName(); // module
    this.#claim(free + 3, free + 3, depth);
    const [index, uniq, pid] = [this.#term(depth - 1), this.#term(depth - 1), this.#term(depth - 1)];
    if (typeof index !== 'number' || typeof uniq !== 'number' || !(pid instanceof Pid)) {
      throw this.#fault('ETF_BAD_FUN', 'a fun has an index, a uniq and a pid');
    }
    for (let variable = 0; variable < free; variable++) this.#term(depth - 1);
    if (this.#offset !== end) {
      throw this.#fault('ETF_BAD_FUN', `a fun of ${this.#offset - start - 1} bytes claims ${size}`, start);
    }
    return new Opaque(this.#bytes.subarray(start, end));
  }

  #uint8(): number {
    this.#need(1);
    return this.#bytes[this.#offset++] as number;
  }

  #uint16(): number {
    this.#need(2);
    const value = this.#bytes.readUInt16BE(this.#offset);
    this.#offset += 2;
    return value;
  }

  #uint32(): number {
    this.#need(4);
    const value = this.#bytes.readUInt32BE(this.#offset);
    this.#offset += 4;
    return value;
  }

  #uint64(): number | bigint {
    const high = this.#uint32();
    const low = this.#uint32();
    return high < 1 << 21 ? high * 2 ** 32 + low : (BigInt(high) << 32n) | BigInt(low);
  }

  #take(length: number): Buffer {
    this.#need(length);
    const start = this.#offset;
    this.#offset += length;
    return this.#bytes.subarray(start, this.#offset);
  }

  #need(count: number): void {
    const left = this.#bytes.length - this.#offset;
    if (count > left) throw this.#fault('ETF_TRUNCATED', `${count} bytes are due and ${left} are left`);
  }

  /**
   * Admits `elements` that take at least `bytes`. Claims add up, so containers nested in each other cannot each
   * claim the same bytes, and an array of the claimed length is safe to allocate.
   */
  #claim(elements: number, bytes: number, depth: number): void {
    this.#need(bytes);
    if (depth === 0) throw this.#fault('ETF_TOO_DEEP', `nested deeper than ${this.#limits.maxDepth}`);
    this.#elementsLeft -= elements;
    if (this.#elementsLeft < 0) {
      throw this.#fault('ETF_TOO_MANY_ELEMENTS', `more than ${this.#limits.maxElements} elements`);
    }
  }

  #badTag(tag: number, why = ''): EtfError {
    const at = this.#offset - 1;
    const hint = UNSUPPORTED.get(tag);
    if (hint !== undefined)
      return this.#fault('ETF_UNSUPPORTED_TAG', `tag ${tag} is not supported`, at, hint);
    return this.#fault('ETF_BAD_TAG', `unexpected tag ${tag}${why && `, ${why}`}`, at);
  }

  #longAtom(length: number): EtfError {
    return this.#fault('ETF_BAD_ATOM', `an atom of ${length} bytes exceeds 255 characters`);
  }

  #fault(code: EtfCode, what: string, at = this.#offset, hint?: string): EtfError {
    return new EtfError(code, `${what}, at byte ${at} of ${this.#bytes.length}`, hint);
  }
}

const UNSUPPORTED: ReadonlyMap<number, string> = new Map([
  [Tag.COMPRESSED, 'Compressed terms never travel between nodes: use term_to_binary/1 without `compressed`.'],
  [
    Tag.ATOM_CACHE_REF,
    'The peer uses the atom cache, which needs DFLAG_DIST_HDR_ATOM_CACHE from both sides.',
  ],
  [Tag.LOCAL_EXT, 'Terms of term_to_binary(_, [local]) are only for the node that made them.'],
]);
