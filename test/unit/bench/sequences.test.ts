import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Sequences } from '../../../scripts/bench/load/sequences.js';

function count(seen: readonly number[], sender = 1): Sequences {
  const sequences = new Sequences();
  for (const seq of seen) sequences.saw(sender, seq);
  return sequences;
}

for (const [name, seen, delivered, doubled, reordered] of [
  ['all in order', [1, 2, 3], 3, 0, 0],
  ['one missing', [1, 3], 2, 0, 0],
  ['the first one missing', [2], 1, 0, 0],
  ['one twice', [1, 2, 2], 2, 1, 0],
  ['an old one again', [1, 2, 3, 1], 3, 1, 0],
  ['one too late', [1, 3, 2], 3, 0, 1],
  ['one too late, and again', [1, 3, 2, 2], 3, 1, 1],
  ['backwards', [3, 2, 1], 3, 0, 2],
] as const) {
  test(`counts ${name}`, () => {
    const sequences = count(seen);
    assert.equal(sequences.delivered, delivered);
    assert.equal(sequences.doubled, doubled);
    assert.equal(sequences.reordered, reordered);
  });
}

test('counts each sender for itself', () => {
  const sequences = new Sequences();
  for (const sender of [7, 8, 7, 8]) sequences.saw(sender, sender === 7 ? 1 : 2);
  assert.equal(sequences.delivered, 2);
  assert.equal(sequences.doubled, 2);
});

test('every arrival counts once, whatever arrives', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 20 })), (seen) => {
      const { delivered, doubled, reordered } = count(seen);
      assert.equal(delivered, new Set(seen).size);
      assert.equal(delivered + doubled, seen.length);
      const firsts = seen.filter((seq, index) => seen.indexOf(seq) === index);
      assert.equal(
        reordered,
        firsts.filter((seq, index) => firsts.slice(0, index).some((s) => s > seq)).length,
      );
    }),
  );
});
