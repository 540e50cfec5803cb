/**
 * Reads Erlang terms from the external term format
 * (https://www.erlang.org/doc/apps/erts/erl_ext_dist.html): all that OTP 25 and newer send, and the older forms.
 *
 * Bytes are not to be trusted: every length is compared with the bytes that are there before anything is
 * allocated for it, and every fault is an EtfError with the byte offset. Binaries are views of the input, no
 * copies: whoever keeps one keeps the whole input alive.
 */
import { atomName } from './atom-name.js';
import { badTag } from './bad-tag.js';
import { ByteReader } from './byte-reader.js';
import { MAX_DEPTH } from './encode.js';
import * as leaf from './leaves.js';
import * as Tag from './tags.js';
import { Atom, ImproperList, Opaque, Pid, Port, type Term, Tuple } from './terms.js';

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
  return new TermReader(bytes, 0, limits).whole();
}

/** The one term that `bytes` holds behind its version byte 131, e.g. a message's payload. Throws EtfError. */
export function decodeVersioned(bytes: Uint8Array, limits: DecodeLimits = DEFAULT_LIMITS): Term {
  const reader = new TermReader(bytes, 0, limits);
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
  const reader = new TermReader(bytes, offset, limits);
  reader.version();
  const term = reader.term();
  return { term, end: reader.offset };
}

const MAX_KEY_NESTING = 16;
const EMPTY_MAP: ReadonlyMap<Term, Term> = new Map();
const EMPTY: readonly Term[] = Object.freeze([]);

class TermReader extends ByteReader {
  readonly #limits: DecodeLimits;
  #elementsLeft: number;
  /** Bounds the comparing of map keys: nested in each other, the innermost is looked at once a level. */
  #keyBytesLeft: number;

  constructor(bytes: Uint8Array, offset: number, limits: DecodeLimits) {
    super(bytes, offset);
    this.#limits = limits;
    this.#elementsLeft = limits.maxElements;
    this.#keyBytesLeft = MAX_KEY_NESTING * bytes.length;
    const size = bytes.length - offset;
    if (size > limits.maxBytes) {
      throw this.fault('ETF_TOO_LARGE', `${size} bytes exceed the limit of ${limits.maxBytes}`);
    }
  }

  version(): void {
    const version = this.uint8();
    if (version === Tag.VERSION) return;
    throw this.fault('ETF_BAD_VERSION', `version byte ${version} instead of 131`, this.offset - 1);
  }

  /** A term that ends where the bytes end. */
  whole(): Term {
    const term = this.term();
    const left = this.bytes.length - this.offset;
    if (left > 0) throw this.fault('ETF_TRAILING_BYTES', `${left} bytes behind the term`);
    return term;
  }

  term(): Term {
    return this.#term(this.#limits.maxDepth);
  }

  #term(depth: number): Term {
    const tag = this.uint8();
    switch (tag) {
      case Tag.SMALL_INTEGER_EXT:
        return this.uint8();
      case Tag.INTEGER_EXT:
        return this.uint32() | 0;
      case Tag.BINARY_EXT:
        return this.take(this.uint32());
      case Tag.SMALL_ATOM_UTF8_EXT:
      case Tag.ATOM_UTF8_EXT:
      case Tag.SMALL_ATOM_EXT:
      case Tag.ATOM_EXT:
        return new Atom(atomName(this, tag));
      case Tag.SMALL_TUPLE_EXT:
        return new Tuple(this.#elements(this.uint8(), depth));
      case Tag.LARGE_TUPLE_EXT:
        return new Tuple(this.#elements(this.uint32(), depth));
      case Tag.NIL_EXT:
        return EMPTY;
      case Tag.LIST_EXT:
        return this.#list(depth);
      case Tag.STRING_EXT:
        return this.#string();
      case Tag.MAP_EXT:
        return this.#map(depth);
      case Tag.NEW_PID_EXT:
        return new Pid(this.#atom(), this.uint32(), this.uint32(), this.uint32());
      case Tag.PID_EXT:
        return new Pid(this.#atom(), this.uint32(), this.uint32(), this.uint8());
      case Tag.NEWER_REFERENCE_EXT:
      case Tag.NEW_REFERENCE_EXT:
        return leaf.reference(this, tag);
      case Tag.REFERENCE_EXT:
        return leaf.oldReference(this);
      case Tag.NEW_PORT_EXT:
        return new Port(this.#atom(), this.uint32(), this.uint32());
      case Tag.PORT_EXT:
        return new Port(this.#atom(), this.uint32(), this.uint8());
      case Tag.V4_PORT_EXT:
        return new Port(this.#atom(), this.uint64(), this.uint32());
      case Tag.NEW_FLOAT_EXT:
        return leaf.float(this);
      case Tag.FLOAT_EXT:
        return leaf.textFloat(this);
      case Tag.SMALL_BIG_EXT:
        return leaf.big(this, this.uint8());
      case Tag.LARGE_BIG_EXT:
        return leaf.big(this, this.uint32());
      case Tag.BIT_BINARY_EXT:
        return leaf.bitString(this);
      case Tag.EXPORT_EXT:
        return leaf.exported(this);
      case Tag.NEW_FUN_EXT:
        return this.#fun(depth);
      case Tag.RECORD_EXT:
        return this.#record(depth);
      default:
        throw badTag(this, tag);
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
      const count = this.uint32();
      this.#claim(count, count + 1, depth);
      for (let index = 0; index < count; index++) items.push(this.#term(depth - 1));
      const tag = this.bytes[this.offset];
      if (tag === Tag.LIST_EXT) {
        this.offset++;
      } else if (tag === Tag.NIL_EXT) {
        this.offset++;
        return items;
      } else if (tag === Tag.STRING_EXT) {
        this.offset++;
        for (const byte of this.#string()) items.push(byte);
        return items;
      } else {
        const tail = this.#term(depth - 1);
        return items.length === 0 ? tail : new ImproperList(items, tail);
      }
    }
  }

  #string(): number[] {
    const length = this.uint16();
    this.#claim(length, length, 1);
    return Array.from(this.take(length));
  }

  #map(depth: number): ReadonlyMap<Term, Term> {
    const count = this.uint32();
    if (count === 0) return EMPTY_MAP;
    this.#claim(2 * count, 2 * count, depth);
    const map = new Map<Term, Term>();
    const seen = new Set<number | bigint | string>();
    for (let index = 0; index < count; index++) {
      const start = this.offset;
      const key = this.#term(depth - 1);
      const identity = count === 1 ? 0 : this.#identity(key, start);
      if (seen.has(identity)) throw this.fault('ETF_DUPLICATE_KEY', 'a map has the same key twice', start);
      seen.add(identity);
      map.set(key, this.#term(depth - 1));
    }
    return map;
  }

  /** What keys are compared by: numbers, atoms and binaries by value, the others by how their peer wrote them. */
  #identity(key: Term, start: number): number | bigint | string {
    if (typeof key === 'number' || typeof key === 'bigint') return key;
    if (key instanceof Atom) return `a${key.name}`;
    const isBinary = key instanceof Uint8Array;
    const from = isBinary ? this.offset - key.length : start;
    this.#keyBytesLeft -= this.offset - from;
    if (this.#keyBytesLeft < 0) throw this.fault('ETF_TOO_LARGE', 'map keys nested in map keys', start);
    return (isBinary ? 'b' : 't') + this.bytes.toString('latin1', from, this.offset);
  }

  #atom(): string {
    return atomName(this, this.uint8());
  }

  /** Read through although it stays opaque: echoed to a peer, a broken one would cost us the connection. */
  #fun(depth: number): Opaque {
    const start = this.offset - 1;
    const size = this.uint32();
    this.need(size - 4);
    this.skip(1 + 16 + 4); // arity, uniq, index
    const free = this.uint32();
    this.#atom(); // module
    this.#claim(free + 3, free + 3, depth);
    const [index, uniq, pid] = [this.#term(depth - 1), this.#term(depth - 1), this.#term(depth - 1)];
    if (typeof index !== 'number' || typeof uniq !== 'number' || !(pid instanceof Pid)) {
      throw this.fault('ETF_BAD_FUN', 'a fun has an index, a uniq and a pid');
    }
    for (let variable = 0; variable < free; variable++) this.#term(depth - 1);
    const actual = this.offset - start - 1;
    if (actual !== size) throw this.fault('ETF_BAD_FUN', `a fun of ${actual} bytes claims ${size}`, start);
    return new Opaque(this.bytes.subarray(start, this.offset));
  }

  /** Arity, flags, module, name, the names of the fields, their values: read through for the same reason. */
  #record(depth: number): Opaque {
    const start = this.offset - 1;
    const arity = this.uint32();
    this.skip(1);
    this.#atom();
    this.#atom();
    this.#claim(2 * arity, 3 * arity, depth);
    for (let field = 0; field < arity; field++) this.#atom();
    for (let field = 0; field < arity; field++) this.#term(depth - 1);
    return new Opaque(this.bytes.subarray(start, this.offset));
  }

  /**
   * Admits `elements` that take at least `bytes`. Claims add up, so containers nested in each other cannot each
   * claim the same bytes, and an array of the claimed length is safe to allocate.
   */
  #claim(elements: number, bytes: number, depth: number): void {
    this.need(bytes);
    if (depth === 0) throw this.fault('ETF_TOO_DEEP', `nested deeper than ${this.#limits.maxDepth}`);
    this.#elementsLeft -= elements;
    if (this.#elementsLeft < 0) {
      throw this.fault('ETF_TOO_MANY_ELEMENTS', `more than ${this.#limits.maxElements} elements`);
    }
  }
}
