/** Reads golden vectors: bytes of a real Erlang (see make-vectors.escript) with the terms that they stand for. */
import { readFileSync } from 'node:fs';
import { inflateSync } from 'node:zlib';
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
} from '../../../src/etf/terms.js';

export interface Vector {
  readonly name: string;
  /** With the leading 131. */
  readonly bytes: Buffer;
  /** What the same Erlang writes for the same term with UTF-8 atoms; mostly `bytes` again. */
  readonly canonical: Buffer;
  /** Built from the description alone. Funs and native records are `ANY_OPAQUE`: no description holds their bytes. */
  readonly term: Term;
  readonly holdsOpaque: boolean;
}

const ANY_OPAQUE = new Opaque(new Uint8Array());

/** The committed ones; about two hundred, from one byte to 130 kB. */
export function loadVectors(): readonly Vector[] {
  return parseVectors(
    readFileSync(new URL('../../../../test/unit/etf/vectors.jsonl', import.meta.url), 'utf8'),
  );
}

export function parseVectors(text: string): readonly Vector[] {
  const entries = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Entry);
  return entries.map(({ name, bytes, canonical, term }) => ({
    name,
    bytes: unpack(bytes),
    canonical: unpack(canonical ?? bytes),
    term: build(term),
    holdsOpaque: JSON.stringify(term).includes('"opaque"'),
  }));
}

/** The term as a description would have it: with every fun and native record replaced. */
export function withoutOpaque(term: Term): Term {
  if (term instanceof Opaque) return ANY_OPAQUE;
  if (term instanceof Tuple) return new Tuple(term.elements.map(withoutOpaque));
  if (term instanceof ImproperList)
    return new ImproperList(term.items.map(withoutOpaque), withoutOpaque(term.tail));
  return Array.isArray(term) ? term.map(withoutOpaque) : term;
}

interface Entry {
  readonly name: string;
  readonly bytes: string;
  readonly canonical?: string;
  readonly term: Description;
}

type Description =
  | readonly ['integer' | 'float' | 'atom' | 'binary', string]
  | readonly ['bits', string, number]
  | readonly ['tuple' | 'list', readonly Description[]]
  | readonly ['improper', readonly Description[], Description]
  | readonly ['repeat', number, Description]
  | readonly ['map', readonly (readonly [Description, Description])[]]
  | readonly ['pid' | 'port' | 'reference', string, number, readonly string[]]
  | readonly ['opaque'];

function build(description: Description): Term {
  switch (description[0]) {
    case 'integer':
      return integer(description[1]);
    case 'float':
      return new Float(unpack(description[1]).readDoubleBE());
    case 'atom':
      return new Atom(unpack(description[1]).toString('utf8'));
    case 'binary':
      return unpack(description[1]);
    case 'bits':
      return new BitString(unpack(description[1]), description[2]);
    case 'tuple':
      return new Tuple(description[1].map(build));
    case 'list':
      return description[1].map(build);
    case 'improper':
      return new ImproperList(description[1].map(build), build(description[2]));
    case 'repeat':
      return Array<Term>(description[1]).fill(build(description[2]));
    case 'map':
      return new Map(description[1].map(([key, value]) => [build(key), build(value)]));
    case 'opaque':
      return ANY_OPAQUE;
    default:
      return identifier(description);
  }
}

function identifier([kind, hex, creation, numbers]: readonly [
  'pid' | 'port' | 'reference',
  string,
  number,
  readonly string[],
]): Term {
  const node = unpack(hex).toString('utf8');
  // Erlang prints the words of a reference from the last to the first.
  if (kind === 'reference') return new Reference(node, creation, numbers.map(Number).reverse());
  if (kind === 'pid') return new Pid(node, Number(numbers[0]), Number(numbers[1]), creation);
  const id = BigInt(numbers[0] as string);
  return new Port(node, id <= Number.MAX_SAFE_INTEGER ? Number(id) : id, creation);
}

/** Hexadecimal with a sign, as `integer_to_list(I, 16)` prints it. */
function integer(text: string): number | bigint {
  const value = text.startsWith('-') ? -BigInt(`0x${text.slice(1)}`) : BigInt(`0x${text}`);
  return Number.isSafeInteger(Number(value)) ? Number(value) : value;
}

function unpack(text: string): Buffer {
  return text.startsWith('zlib:')
    ? inflateSync(Buffer.from(text.slice(5), 'base64'))
    : Buffer.from(text, 'hex');
}
