/** Any term, to a real Erlang and back; damaged bytes are never read otherwise than Erlang reads them. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import fc from 'fast-check';
import { decodeVersioned } from '../../../src/etf/decode.js';
import { encodeVersioned } from '../../../src/etf/encode.js';
import { EtfError } from '../../../src/etf/error.js';
import type { Term } from '../../../src/etf/terms.js';
import { arbitraryTerm, ordered } from '../../unit/etf/arbitrary.js';
import { loadVectors } from '../../unit/etf/vectors.js';
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

  it('made up by Erlang go back as they came', async () => {
    const property = fc.asyncProperty(fc.integer({ min: 0, max: 0xffffffff }), async (seed) => {
      const bytes = await erl.random(seed);
      // Not the same bytes: OTP 27 writes every port as V4_PORT_EXT, which is ours only for large ones.
      assert.deepStrictEqual(await erl.echo(encodeVersioned(decodeVersioned(bytes))), bytes);
    });
    await fc.assert(property, { numRuns: 2000 });
  });

  it('whose bytes are damaged are never read otherwise than Erlang reads them', async () => {
    const vectors = loadVectors().filter(({ bytes }) => bytes.length < 400);
    const change = fc.tuple(fc.nat(), fc.nat({ max: 255 }));
    const damaged = fc
      .tuple(fc.constantFrom(...vectors), fc.array(change, { minLength: 1, maxLength: 3 }))
      .map(([{ bytes }, changes]) => {
        const copy = Buffer.from(bytes);
        for (const [at, value] of changes) copy[1 + (at % (copy.length - 1))] = value;
        return copy;
      });
    const property = fc.asyncProperty(damaged, async (bytes) => {
      const term = readable(bytes);
      const theirs = term !== undefined && (await erl.echo(bytes));
      // Erlang refuses what its own nodes cannot mean, e.g. a local pid out of range; those we cannot know.
      if (theirs) assert.deepStrictEqual(await erl.echo(encodeVersioned(term)), theirs);
    });
    await fc.assert(property, { numRuns: 5000 });
  });
});

function readable(bytes: Buffer): Term | undefined {
  try {
    return decodeVersioned(bytes);
  } catch (error) {
    assert.ok(error instanceof EtfError, String(error));
    return undefined;
  }
}
