/** The search for the highest rate, before a made-up server whose capacity is known. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { highestRate } from './highest-rate.js';

function search(first: number, isWell: (rate: number) => boolean): { found: number; tried: number[] } {
  const rates = highestRate(first, 1.1, 10);
  const tried: number[] = [];
  let step = rates.next();
  while (!step.done) {
    tried.push(step.value);
    step = rates.next(isWell(step.value));
  }
  return { found: step.value, tried };
}

test('finds a capacity to a tenth, wherever it begins', () => {
  fc.assert(
    fc.property(
      fc.integer({ min: 20, max: 100_000 }),
      fc.integer({ min: 10, max: 10_000 }),
      (capacity, first) => {
        const { found } = search(first, (rate) => rate <= capacity);
        assert.ok(found <= capacity && found * 1.1 >= capacity - 1, `${found} for ${capacity}`);
      },
    ),
  );
});

test('doubles, then closes in, and tries what fails twice', () => {
  const { found, tried } = search(1_000, (rate) => rate <= 2_500);
  assert.deepEqual(tried, [1000, 2000, 4000, 4000, 2828, 2828, 2378, 2593, 2593]);
  assert.equal(found, 2_378);
});

test('forgives one failure', () => {
  let failures = 0;
  const { found } = search(1_000, (rate) => {
    if (rate === 2_000 && failures === 0) {
      failures += 1;
      return false;
    }
    return rate <= 3_000;
  });
  assert.ok(found > 2_000);
});

test('is 0 where nothing goes well', () => {
  assert.equal(search(1_000, () => false).found, 0);
});
