/** Plain data has the bytes of our own encoder; test/erlang/etf/plain.test.ts has a real Erlang read it. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decode } from '../../../src/etf/decode.js';
import { encode } from '../../../src/etf/encode.js';
import { encodePlain, type Plain } from '../../../src/etf/plain.js';

test('plain data has the very bytes that our own encoder writes, its atoms included', () => {
  const scalar = fc.oneof(
    fc.constantFrom<Plain>(true, false, null, undefined, 's\u0004true', 's'),
    fc.string({ maxLength: 300 }),
    fc.integer(),
    fc.maxSafeNat(),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
  );
  const value = fc.letrec<{ value: Plain }>((tie) => ({
    value: fc.oneof(
      { maxDepth: 5, withCrossShrink: true },
      scalar,
      // With a string in it, as a list of nothing but bytes has two forms.
      fc.array(tie('value')).map((items) => [...items, 'x']),
      fc.dictionary(fc.string(), tie('value')),
    ),
  })).value;
  fc.assert(
    fc.property(value, (plain) => {
      const bytes = encodePlain(plain);
      assert.deepEqual(bytes, encode(decode(bytes)));
    }),
    { numRuns: 2_000 },
  );
});
