/** How arrivals count: delivered, lost, doubled, reordered. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Sequences } from '../../../scripts/load/sequences.js';

const counts = ({ delivered, doubled, reordered }: Sequences) => ({ delivered, doubled, reordered });

function after(...seqs: readonly number[]) {
  const sequences = new Sequences();
  for (const seq of seqs) {
    sequences.arrived(7, seq);
    sequences.ordered(7, seq);
  }
  return counts(sequences);
}

test('counts messages in order', () => {
  assert.deepEqual(after(1, 2, 3), { delivered: 3, doubled: 0, reordered: 0 });
});

test('counts a message behind a later one as delivered and reordered', () => {
  assert.deepEqual(after(1, 3, 2, 4), { delivered: 4, doubled: 0, reordered: 1 });
});

test('counts each further arrival as doubled', () => {
  assert.deepEqual(after(1, 2, 2), { delivered: 2, doubled: 1, reordered: 0 });
  assert.deepEqual(after(2, 1, 1), { delivered: 2, doubled: 1, reordered: 2 });
});

test('misses what never arrives', () => {
  assert.deepEqual(after(1, 4), { delivered: 2, doubled: 0, reordered: 0 });
});

test('holds arrivals that overtake each other to no order', () => {
  const sequences = new Sequences();
  for (const seq of [2, 1]) sequences.arrived(7, seq);
  for (const seq of [1, 2]) sequences.ordered(7, seq);
  assert.deepEqual(counts(sequences), { delivered: 2, doubled: 0, reordered: 0 });
});

test('keeps pairs apart', () => {
  const sequences = new Sequences();
  for (const pair of [1, 2]) {
    sequences.arrived(pair, 1);
    sequences.ordered(pair, 1);
  }
  assert.deepEqual(counts(sequences), { delivered: 2, doubled: 0, reordered: 0 });
});

test('every arrival counts once, whatever arrives', () => {
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: 20 })), (seen) => {
      const { delivered, doubled } = after(...seen);
      assert.equal(delivered, new Set(seen).size);
      assert.equal(delivered + doubled, seen.length);
    }),
  );
});
