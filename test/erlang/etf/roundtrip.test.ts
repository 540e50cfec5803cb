import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeVersioned } from '../../../src/etf/decode.js';
import { encodeVersioned } from '../../../src/etf/encode.js';
import { arbitraryTerm, ordered } from './arbitrary.js';
import { Erl } from './erl.js';

describe('terms through a real Erlang', () => {
  let erl: Erl;
  before(() => {
    erl = new Erl();
  });
  after(() => erl.stop());

  it('come back as they were', async () => {
    const property = fc.asyncProperty(arbitraryTerm, async (term) => {
      const echoed = await erl.echo(encodeVersioned(term));
      assert.ok(echoed, 'Erlang refuses the bytes');
      assert.deepStrictEqual(
        encodeVersioned(ordered(decodeVersioned(echoed))),
        encodeVersioned(ordered(term)),
      );
    });
    await fc.assert(property, { numRuns: 2000 });
  });

  it('made up by Erlang are encoded to the very bytes they came in', async () => {
    const property = fc.asyncProperty(fc.integer({ min: 0, max: 0xffffffff }), async (seed) => {
      const bytes = await erl.random(seed);
      assert.deepStrictEqual(encodeVersioned(decodeVersioned(bytes)), bytes);
    });
    await fc.assert(property, { numRuns: 2000 });
  });
});
