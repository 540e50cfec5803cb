/** What the encoder refuses, each with its code, and that what it gave is the caller's. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { DEFAULT_LIMITS, decode } from '../../../src/etf/decode.js';
import { encode, MAX_DEPTH } from '../../../src/etf/encode.js';
import { EtfError } from '../../../src/etf/error.js';
import {
  atom,
  BitString,
  binary,
  Float,
  ImproperList,
  Opaque,
  Pid,
  Port,
  Reference,
  type Term,
  tuple,
} from '../../../src/etf/terms.js';

const CYCLE: Term[] = [];
CYCLE.push(CYCLE);

/** Not all of these can be written in TypeScript without a cast: they come from plain JavaScript and JSON. */
const REFUSED: readonly (readonly [string, string, unknown])[] = [
  ['a fraction outside a Float', 'ETF_BAD_INTEGER', 1.5],
  ['an unsafe integer', 'ETF_BAD_INTEGER', 2 ** 53],
  ['NaN', 'ETF_BAD_INTEGER', Number.NaN],
  ['a Float of NaN', 'ETF_BAD_FLOAT', new Float(Number.NaN)],
  ['a Float of infinity', 'ETF_BAD_FLOAT', new Float(Number.NEGATIVE_INFINITY)],
  ['an atom of 256 characters', 'ETF_BAD_ATOM', atom('a'.repeat(256))],
  ['an atom of 256 wide characters', 'ETF_BAD_ATOM', atom('😀'.repeat(256))],
  ['an enormous atom', 'ETF_BAD_ATOM', atom('é'.repeat(100_000))],
  ['an atom with an unpaired surrogate', 'ETF_BAD_ATOM', atom('a\ud800')],
  ['a bit string of no bytes', 'ETF_BAD_BITSTRING', new BitString(Buffer.of(), 3)],
  ['a bit string of nine bits in a byte', 'ETF_BAD_BITSTRING', new BitString(Buffer.of(1), 9)],
  ['a negative pid', 'ETF_BAD_IDENTIFIER', new Pid('a@b', -1, 0, 0)],
  ['a pid of more than 32 bits', 'ETF_BAD_IDENTIFIER', new Pid('a@b', 2 ** 32, 0, 0)],
  ['a pid on a node with too long a name', 'ETF_BAD_ATOM', new Pid('a'.repeat(256), 1, 0, 0)],
  ['a negative port', 'ETF_BAD_IDENTIFIER', new Port('a@b', -1, 0)],
  ['a port of more than 64 bits', 'ETF_BAD_IDENTIFIER', new Port('a@b', 2n ** 64n, 0)],
  ['a reference of no words', 'ETF_BAD_IDENTIFIER', new Reference('a@b', 0, [])],
  ['a reference of six words', 'ETF_BAD_IDENTIFIER', new Reference('a@b', 0, [1, 2, 3, 4, 5, 6])],
  ['a reference of a fraction', 'ETF_BAD_IDENTIFIER', new Reference('a@b', 0, [1.5])],
  ['a list in itself', 'ETF_TOO_DEEP', CYCLE],
  ['a string', 'ETF_NOT_A_TERM', 'text'],
  ['undefined', 'ETF_NOT_A_TERM', undefined],
  ['null', 'ETF_NOT_A_TERM', null],
  ['a plain object', 'ETF_NOT_A_TERM', { a: 1 }],
  ['an object without a prototype', 'ETF_NOT_A_TERM', Object.create(null)],
];

describe('encode refuses', () => {
  for (const [what, code, value] of REFUSED) {
    it(what, () => {
      const refused = (error: unknown) => error instanceof EtfError && error.code === code;
      assert.throws(() => encode(value as Term), refused);
      assert.throws(() => encode(tuple(1, [value as Term])), refused);
    });
  }

  it('what is nested deeper than decode takes', () => {
    const wraps: readonly ((inner: Term) => Term)[] = [
      (inner) => [inner],
      (inner) => tuple(inner),
      (inner) => new Map([[1, inner]]),
      (inner) => new ImproperList([inner], 1),
    ];
    for (const wrap of wraps) {
      let term: Term = 0;
      for (let depth = 0; depth < MAX_DEPTH; depth++) term = wrap(term);
      decode(encode(term));
      assert.throws(() => encode(wrap(wrap(term))), { code: 'ETF_TOO_DEEP' });
    }
    assert.equal(MAX_DEPTH, DEFAULT_LIMITS.maxDepth);
  });
});

describe('encode', () => {
  it('is not disturbed by a term that failed before', () => {
    assert.throws(() => encode(tuple(binary('left over'), 1.5)));
    assert.deepStrictEqual(encode(tuple()), Buffer.of(104, 0));
  });

  it('gives bytes that later calls leave alone, small or large', () => {
    for (const size of [1, 10_000, 3_000_000]) {
      const first = encode(Buffer.alloc(size, 1));
      encode(Buffer.alloc(size, 2));
      assert.deepStrictEqual(decode(first), Buffer.alloc(size, 1));
    }
  });

  it('clears the unused bits of a bit string, and makes a whole one a binary', () => {
    assert.deepStrictEqual(
      encode(new BitString(Buffer.of(0xff, 0xff), 3)),
      Buffer.of(77, 0, 0, 0, 2, 3, 0xff, 0xe0),
    );
    assert.deepStrictEqual(encode(new BitString(Buffer.of(0xff), 8)), Buffer.of(109, 0, 0, 0, 1, 0xff));
  });

  it('takes a bigint for any integer', () => {
    for (const value of [0, 255, 256, -1, 2 ** 31, -(2 ** 31), 2 ** 53 - 1]) {
      assert.deepStrictEqual(encode(BigInt(value)), encode(value));
    }
  });

  it('puts what is encoded already into a term', () => {
    const inner = encode(tuple(atom('ok'), 1));
    assert.deepStrictEqual(encode(tuple(new Opaque(inner), 2)), encode(tuple(tuple(atom('ok'), 1), 2)));
  });
});
