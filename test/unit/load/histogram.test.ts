/** The load generator's percentiles, beside those of the sorted values. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Histogram } from '../../../scripts/load/histogram.js';

function histogram(values: readonly number[]): Histogram {
  const result = new Histogram();
  for (const value of values) result.add(value);
  return result;
}

test('percentiles of small values are exact', () => {
  const values = Array.from({ length: 50 }, (_, index) => index + 1);
  assert.deepEqual(
    [1, 2, 50, 90, 100].map((percent) => histogram(values).percentile(percent)),
    [1, 1, 25, 45, 50],
  );
});

test('there is no percentile of nothing', () => {
  assert.ok(Number.isNaN(histogram([]).percentile(50)));
});

test('what is out of range counts as the nearest that is not', () => {
  assert.equal(histogram([-5]).percentile(100), 0);
  assert.equal(histogram([2 ** 40]).percentile(100), 2 ** 31 - 1);
});

test('a percentile is the one of the sorted values, or at most 1/32 more', () => {
  const values = fc.array(fc.integer({ min: 0, max: 2 ** 31 - 1 }), { minLength: 1 });
  fc.assert(
    fc.property(values, fc.integer({ min: 1, max: 100 }), (all, percent) => {
      const sorted = [...all].sort((a, b) => a - b);
      const exact = sorted[Math.ceil((sorted.length * percent) / 100) - 1] ?? Number.NaN;
      const found = histogram(all).percentile(percent);
      assert.ok(found >= exact && found <= exact * (33 / 32), `${found} for ${exact}`);
    }),
  );
});

test('merged with what another process counted it is as if one had counted all', () => {
  fc.assert(
    fc.property(fc.array(fc.nat()), fc.array(fc.nat()), (here, there) => {
      const merged = histogram(here);
      merged.merge(new Histogram(histogram(there).counts));
      assert.deepEqual(merged.counts, histogram([...here, ...there]).counts);
    }),
  );
});

test('cleared it holds nothing', () => {
  const used = histogram([1, 1000]);
  used.clear();
  assert.equal(used.total, 0);
});
