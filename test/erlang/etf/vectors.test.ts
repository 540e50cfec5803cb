/** The golden vectors, made anew by the Erlang that is installed: the committed ones are of one release only. */
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { after, before, describe, it } from 'node:test';
import { fileURLToPath } from 'node:url';
import { decodeVersioned } from '../../../src/etf/decode.js';
import { encodeVersioned } from '../../../src/etf/encode.js';
import { parseVectors, type Vector, withoutOpaque } from '../../unit/etf/vectors.js';
import { Erl } from './erl.js';

const MAKER = fileURLToPath(new URL('../../../../test/unit/etf/make-vectors.escript', import.meta.url));

describe('golden vectors of the installed Erlang', () => {
  let vectors: readonly Vector[];
  let erl: Erl;
  before(() => {
    vectors = parseVectors(execFileSync('escript', [MAKER], { encoding: 'utf8', maxBuffer: 1 << 24 }));
    erl = new Erl();
  });
  after(() => erl.stop());

  it('are the terms that they should be', () => {
    assert.ok(vectors.length > 150);
    for (const { name, bytes, term } of vectors)
      assert.deepStrictEqual(withoutOpaque(decodeVersioned(bytes)), term, name);
  });

  it('go back as they came', async () => {
    for (const { name, bytes, canonical } of vectors)
      assert.deepStrictEqual(await erl.echo(encodeVersioned(decodeVersioned(bytes))), canonical, name);
  });
});
