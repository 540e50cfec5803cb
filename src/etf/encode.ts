/**
 * Writes Erlang terms in the external term format, the bytes that OTP itself would choose
 * (https://www.erlang.org/doc/apps/erts/erl_ext_dist.html). Atoms are always UTF-8; pids, ports and
 * references always take their forms with a 32-bit creation: every peer since OTP 25 has to know both.
 */
import { ByteWriter } from './byte-writer.js';
import { EtfError } from './error.js';
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

/** Nesting that encode and decode accept. Room for deep iolists; JavaScript's stack ends at several times that. */
export const MAX_DEPTH = 1024;

const MAX_STRING_LENGTH = 0xffff;
const MAX_ATOM_CHARACTERS = 255;

/** The bytes of one term, without a leading version byte. Throws EtfError for what is no term. */
export function encode(term: Term): Buffer {
  shared.clear();
  shared.term(term);
  return shared.take();
}

/** The bytes of one term behind its version byte 131: what `term_to_binary/1` gives. Throws EtfError. */
export function encodeVersioned(term: Term): Buffer {
  shared.clear();
  shared.version();
  shared.term(term);
  return shared.take();
}

class TermWriter extends ByteWriter {
  version(): void {
    this.uint8(Tag.VERSION);
  }

  term(term: Term): void {
    this.#term(term, MAX_DEPTH);
  }

  #term(term: Term, depth: number): void {
    if (typeof term === 'number') this.#integer(term);
    else if (term instanceof Uint8Array) this.#binary(term);
    else if (term instanceof Tuple) this.#tuple(term.elements, depth);
    else if (term instanceof Pid) this.#pid(term);
    else if (term instanceof Atom) this.#atom(term.name);
    else if (isList(term)) this.#list(term, depth);
    else if (term instanceof Map) this.#map(term, depth);
    else if (term instanceof Float) this.#float(term.value);
    else if (term instanceof Reference) this.#reference(term);
    else if (term instanceof ImproperList) {
      this.#cells(term.items, depth);
      this.#term(term.tail, depth - 1);
    } else if (term instanceof Opaque) this.bytes(term.bytes);
    else if (typeof term === 'bigint') this.#bigInteger(term);
    else if (term instanceof BitString) this.#bitString(term.bytes, term.lastBits);
    else if (term instanceof Port) this.#port(term);
    else throw new EtfError('ETF_NOT_A_TERM', `cannot encode ${describe(term)} as an Erlang term`);
  }

  #integer(value: number): void {
    if (value >= 0 && value <= 255 && Number.isInteger(value)) {
      this.reserve(2);
      this.buffer[this.length++] = Tag.SMALL_INTEGER_EXT;
      this.buffer[this.length++] = value;
    } else if ((value | 0) === value) {
      this.reserve(5);
      this.buffer[this.length++] = Tag.INTEGER_EXT;
      this.length = this.buffer.writeInt32BE(value, this.length);
    } else if (Number.isSafeInteger(value)) {
      this.#big(BigInt(value));
    } else {
      const hint = 'Wrap a float in Float; use a bigint for integers beyond the safe ones.';
      throw new EtfError('ETF_BAD_INTEGER', `cannot encode ${value} as an integer`, hint);
    }
  }

  #bigInteger(value: bigint): void {
    if (value >= -0x80000000n && value <= 0x7fffffffn) this.#integer(Number(value));
    else this.#big(value);
  }

  /** Magnitude in little-endian bytes. Hexadecimal text is the one linear way out of a BigInt. */
  #big(value: bigint): void {
    const hex = (value < 0n ? -value : value).toString(16);
    const magnitude = Buffer.from(hex.length % 2 === 0 ? hex : `0${hex}`, 'hex').reverse();
    if (magnitude.length <= 255) {
      this.uint8(Tag.SMALL_BIG_EXT);
      this.uint8(magnitude.length);
    } else {
      this.uint8(Tag.LARGE_BIG_EXT);
      this.uint32(magnitude.length);
    }
    this.uint8(value < 0n ? 1 : 0);
    this.bytes(magnitude);
  }

  #float(value: number): void {
    // A peer that is sent such a float drops the connection.
    if (!Number.isFinite(value)) throw new EtfError('ETF_BAD_FLOAT', `Erlang has no float ${value}`);
    this.reserve(9);
    this.buffer[this.length++] = Tag.NEW_FLOAT_EXT;
    this.length = this.buffer.writeDoubleBE(value, this.length);
  }

  #atom(name: string): void {
    if (name.length > MAX_ATOM_CHARACTERS || !this.#asciiAtom(name)) this.#unicodeAtom(name);
  }

  /** Nearly every atom. A loop over a short string is quicker than a call into the runtime. */
  #asciiAtom(name: string): boolean {
    const length = name.length;
    this.reserve(2 + length);
    const buffer = this.buffer;
    let at = this.length;
    buffer[at++] = Tag.SMALL_ATOM_UTF8_EXT;
    buffer[at++] = length;
    for (let index = 0; index < length; index++) {
      const code = name.charCodeAt(index);
      if (code > 0x7f) return false;
      buffer[at++] = code;
    }
    this.length = at;
    return true;
  }

  #unicodeAtom(name: string): void {
    const characters = name.length > 2 * MAX_ATOM_CHARACTERS ? name.length : [...name].length;
    if (characters > MAX_ATOM_CHARACTERS) {
      throw new EtfError('ETF_BAD_ATOM', `an atom has at most 255 characters, not ${characters}`);
    }
    if (/\p{Surrogate}/u.test(name)) {
      throw new EtfError('ETF_BAD_ATOM', 'an atom holds no unpaired surrogate');
    }
    const bytes = Buffer.from(name, 'utf8');
    if (bytes.length <= 255) {
      this.uint8(Tag.SMALL_ATOM_UTF8_EXT);
      this.uint8(bytes.length);
    } else {
      this.uint8(Tag.ATOM_UTF8_EXT);
      this.uint16(bytes.length);
    }
    this.bytes(bytes);
  }

  #binary(bytes: Uint8Array): void {
    this.reserve(5 + bytes.length);
    this.buffer[this.length++] = Tag.BINARY_EXT;
    this.length = this.buffer.writeUInt32BE(bytes.length, this.length);
    this.buffer.set(bytes, this.length);
    this.length += bytes.length;
  }

  #bitString(bytes: Uint8Array, lastBits: number): void {
    if (lastBits === 8) {
      this.#binary(bytes);
      return;
    }
    if (bytes.length === 0 || !(lastBits >= 1 && lastBits <= 7)) {
      throw new EtfError(
        'ETF_BAD_BITSTRING',
        `no bit string ends with ${lastBits} bits of ${bytes.length} bytes`,
      );
    }
    this.uint8(Tag.BIT_BINARY_EXT);
    this.uint32(bytes.length);
    this.uint8(lastBits);
    this.bytes(bytes);
    // Unused bits are zero, as OTP writes them.
    this.buffer[this.length - 1] = (bytes[bytes.length - 1] as number) & (0xff << (8 - lastBits));
  }

  #tuple(elements: readonly Term[], depth: number): void {
    if (depth === 0) throw tooDeep();
    if (elements.length <= 255) {
      this.reserve(2);
      this.buffer[this.length++] = Tag.SMALL_TUPLE_EXT;
      this.buffer[this.length++] = elements.length;
    } else {
      this.uint8(Tag.LARGE_TUPLE_EXT);
      this.uint32(elements.length);
    }
    for (const element of elements) this.#term(element, depth - 1);
  }

  #list(items: readonly Term[], depth: number): void {
    if (items.length === 0) {
      this.uint8(Tag.NIL_EXT);
    } else if (isByteList(items)) {
      this.uint8(Tag.STRING_EXT);
      this.uint16(items.length);
      for (const item of items) this.uint8(item);
    } else {
      this.#cells(items, depth);
      this.uint8(Tag.NIL_EXT);
    }
  }

  #cells(items: readonly Term[], depth: number): void {
    if (depth === 0) throw tooDeep();
    if (items.length === 0) return;
    this.uint8(Tag.LIST_EXT);
    this.uint32(items.length);
    for (const item of items) this.#term(item, depth - 1);
  }

  #map(map: ReadonlyMap<Term, Term>, depth: number): void {
    if (depth === 0) throw tooDeep();
    this.uint8(Tag.MAP_EXT);
    this.uint32(map.size);
    for (const [key, value] of map) {
      this.#term(key, depth - 1);
      this.#term(value, depth - 1);
    }
  }

  #pid(pid: Pid): void {
    this.uint8(Tag.NEW_PID_EXT);
    this.#atom(pid.node);
    this.#words(pid.id, pid.serial, pid.creation);
  }

  #port({ node, id, creation }: Port): void {
    // NEW_PORT_EXT carries 28 bits; OTP switches to V4_PORT_EXT above.
    if (id < 1 << 28) {
      this.uint8(Tag.NEW_PORT_EXT);
      this.#atom(node);
      this.#words(Number(id), creation);
      return;
    }
    this.uint8(Tag.V4_PORT_EXT);
    this.#atom(node);
    const wide = BigInt(id);
    if (wide >> 64n !== 0n) throw badIdentifier('port', wide);
    this.#words(Number(wide >> 32n), Number(wide & 0xffffffffn), creation);
  }

  #reference({ node, creation, ids }: Reference): void {
    if (ids.length < 1 || ids.length > 5) throw badIdentifier('reference', `of ${ids.length} words`);
    this.uint8(Tag.NEWER_REFERENCE_EXT);
    this.uint16(ids.length);
    this.#atom(node);
    this.#words(creation, ...ids);
  }

  #words(...words: readonly number[]): void {
    for (const word of words) {
      if (word >>> 0 !== word) throw badIdentifier('number', word);
      this.uint32(word);
    }
  }
}

/** Its buffer serves every call in turn. */
const shared = new TermWriter();

/** `Array.isArray` does not narrow readonly arrays. */
function isList(term: Term): term is readonly Term[] {
  return Array.isArray(term);
}

/** What OTP writes as STRING_EXT. */
function isByteList(items: readonly Term[]): items is readonly number[] {
  if (items.length > MAX_STRING_LENGTH) return false;
  for (const item of items) {
    if (typeof item !== 'number' || !(item >= 0 && item <= 255) || !Number.isInteger(item)) return false;
  }
  return true;
}

function tooDeep(): EtfError {
  return new EtfError('ETF_TOO_DEEP', `cannot encode a term nested deeper than ${MAX_DEPTH}`);
}

function badIdentifier(kind: string, value: unknown): EtfError {
  return new EtfError('ETF_BAD_IDENTIFIER', `cannot encode the ${kind} ${value} of a pid, port or reference`);
}

/** Never the value itself: it may be a secret. */
function describe(value: unknown): string {
  if (value === null || typeof value !== 'object') return value === null ? 'null' : typeof value;
  return `a ${value.constructor?.name ?? 'bare object'}`;
}
