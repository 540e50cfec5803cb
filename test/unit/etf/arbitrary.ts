/** Random terms for fast-check: every kind, as deep as they come. */
import fc from 'fast-check';
import { encode } from '../../../src/etf/encode.js';
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

const uint32 = fc.integer({ min: 0, max: 0xffffffff });
/** Few, as Erlang keeps every node it hears of. */
const node = fc.constantFrom('a@localhost', 'ejabberd@chat.example.org', 'knoten@grün.example');

/** As they are decoded: a small `bigint` would keep a list from being written as a string. */
const large = (bits: bigint) =>
  fc
    .bigInt({ min: -(2n ** bits), max: 2n ** bits })
    .map((value) => (Number.isSafeInteger(Number(value)) ? Number(value) : value));
const integer = fc.oneof(fc.integer({ min: -300, max: 300 }), fc.maxSafeInteger(), large(80n), large(2200n));
/** Mostly known ones: Erlang never forgets an atom, and has room for a million. */
const atomName = fc.oneof(
  {
    weight: 9,
    arbitrary: fc.constantFrom(
      '',
      'ok',
      'true',
      'Quoted Atom',
      'grün',
      '日本語',
      '😀'.repeat(255),
      'a'.repeat(255),
    ),
  },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 255 }) },
);
const anAtom = atomName.map((name) => new Atom(name));
const aBinary = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
const float = fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => new Float(value));
const bits = fc
  .tuple(fc.uint8Array({ minLength: 1, maxLength: 20 }), fc.integer({ min: 1, max: 7 }))
  .map(([bytes, lastBits]) => new BitString(bytes, lastBits));
const pid = fc.tuple(node, uint32, uint32, uint32).map((parts) => new Pid(...parts));
const port = fc
  .tuple(node, fc.oneof(uint32, fc.bigInt({ min: 2n ** 53n, max: 2n ** 64n - 1n })), uint32)
  .map((parts) => new Port(...parts));
/** The first word has 18 bits. */
const reference = fc
  .tuple(node, uint32, fc.integer({ min: 0, max: 0x3ffff }), fc.array(uint32, { maxLength: 4 }))
  .map(([name, creation, first, rest]) => new Reference(name, creation, [first, ...rest]));
const external = fc
  .tuple(anAtom, anAtom, fc.integer({ min: 0, max: 255 }))
  .map(
    ([module, name, arity]) =>
      new Opaque(Buffer.concat([Buffer.of(113), encode(module), encode(name), encode(arity)])),
  );

const scalar = fc.oneof(integer, anAtom, aBinary, float, bits, pid, port, reference, external);
/** No floats: 0.0 and -0.0 were the same key until OTP 27. */
const keyScalar = fc.oneof(integer, anAtom, aBinary, bits, pid);
const key = fc.oneof(
  keyScalar,
  fc.array(keyScalar, { maxLength: 4 }),
  fc.array(keyScalar, { maxLength: 4 }).map((all) => new Tuple(all)),
);

const tupleOf = (elements: readonly Term[]): Term => new Tuple(elements);

/** Large ones come now and then only: each term would be large, as they contain one another. */
export const arbitraryTerm: fc.Arbitrary<Term> = fc.letrec<{ term: Term }>((tie) => {
  const mapOf = (maxLength: number): fc.Arbitrary<Term> =>
    fc
      .uniqueArray(fc.tuple(key, tie('term')), {
        maxLength,
        selector: ([aKey]) => encode(aKey).toString('latin1'),
      })
      .map((pairs) => new Map(pairs));
  const improper = fc
    .tuple(fc.array(tie('term'), { minLength: 1 }), scalar)
    .map(([items, tail]) => new ImproperList(items, tail));
  const bytes = fc.uint8Array({ maxLength: 100 }).map((all) => Array.from(all));
  const large = fc.oneof(fc.array(scalar, { minLength: 250, maxLength: 260 }).map(tupleOf), mapOf(50));
  return {
    term: fc.oneof(
      { maxDepth: 6, withCrossShrink: true },
      { weight: 20, arbitrary: scalar },
      { weight: 10, arbitrary: fc.array(tie('term')) },
      { weight: 10, arbitrary: fc.array(tie('term')).map(tupleOf) },
      { weight: 10, arbitrary: improper },
      { weight: 10, arbitrary: mapOf(8) },
      { weight: 10, arbitrary: bytes },
      { weight: 1, arbitrary: large },
    ),
  };
}).term;

/** The term with all maps in one order: Erlang keeps none. */
export function ordered(term: Term): Term {
  if (term instanceof Tuple) return new Tuple(term.elements.map(ordered));
  if (term instanceof ImproperList) return new ImproperList(term.items.map(ordered), term.tail);
  if (Array.isArray(term)) return term.map(ordered);
  if (!(term instanceof Map)) return term;
  const pairs = [...term].map(([aKey, value]) => [encode(aKey), aKey, ordered(value)] as const);
  pairs.sort(([left], [right]) => Buffer.compare(left, right));
  return new Map(pairs.map(([, aKey, value]) => [aKey, value]));
}
