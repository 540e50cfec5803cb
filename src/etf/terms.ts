/**
 * Erlang terms as JavaScript values.
 *
 * | Erlang              | here                                                          |
 * |---------------------|---------------------------------------------------------------|
 * | integer             | `number` where safe, `bigint` beyond                          |
 * | float               | `Float` (so that 1.0 comes back as a float, not as 1)         |
 * | atom                | `Atom`                                                        |
 * | binary / bit string | `Uint8Array` (a `Buffer` when decoded) / `BitString`          |
 * | tuple, list         | `Tuple`, array; `ImproperList` when the tail is not `[]`      |
 * | map                 | `Map`, in the order of the wire; keys compare by identity     |
 * | pid, port, reference| `Pid`, `Port`, `Reference`                                    |
 * | fun, native record  | `Opaque`: the very bytes, echoed                              |
 */

export type Term =
  | number
  | bigint
  | Float
  | Atom
  | Uint8Array
  | BitString
  | Tuple
  | readonly Term[]
  | ImproperList
  | ReadonlyMap<Term, Term>
  | Pid
  | Port
  | Reference
  | Opaque;

export class Float {
  readonly value: number;
  constructor(value: number) {
    this.value = value;
  }
}

/** Not interned: compare `name`s, never the objects. */
export class Atom {
  readonly name: string;
  constructor(name: string) {
    this.name = name;
  }
}

export class BitString {
  readonly bytes: Uint8Array;
  /** Bits used in the last byte, 1–8, from the most significant. */
  readonly lastBits: number;
  constructor(bytes: Uint8Array, lastBits: number) {
    this.bytes = bytes;
    this.lastBits = lastBits;
  }
}

export class Tuple {
  readonly elements: readonly Term[];
  constructor(elements: readonly Term[]) {
    this.elements = elements;
  }
}

export class ImproperList {
  readonly items: readonly Term[];
  readonly tail: Term;
  constructor(items: readonly Term[], tail: Term) {
    this.items = items;
    this.tail = tail;
  }
}

export class Pid {
  readonly node: string;
  readonly id: number;
  readonly serial: number;
  readonly creation: number;
  constructor(node: string, id: number, serial: number, creation: number) {
    this.node = node;
    this.id = id;
    this.serial = serial;
    this.creation = creation;
  }
}

export class Port {
  readonly node: string;
  /** `bigint` only where it exceeds the safe integers (V4_PORT_EXT). */
  readonly id: number | bigint;
  readonly creation: number;
  constructor(node: string, id: number | bigint, creation: number) {
    this.node = node;
    this.id = id;
    this.creation = creation;
  }
}

export class Reference {
  readonly node: string;
  readonly creation: number;
  /** 1–5 words of 32 bits, as on the wire. */
  readonly ids: readonly number[];
  constructor(node: string, creation: number, ids: readonly number[]) {
    this.node = node;
    this.creation = creation;
    this.ids = ids;
  }
}

/** A term kept as the bytes it came in (tag included), echoed exactly. */
export class Opaque {
  readonly bytes: Uint8Array;
  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
  }
}

export const atom = (name: string): Atom => new Atom(name);
export const tuple = (...elements: readonly Term[]): Tuple => new Tuple(elements);
/** A binary of the UTF-8 bytes of `text`. */
export const binary = (text: string): Uint8Array => Buffer.from(text, 'utf8');
