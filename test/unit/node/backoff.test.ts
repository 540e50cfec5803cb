import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { backoff } from '../../../src/node/backoff.js';

describe('backoff', () => {
  test('doubles from 250 ms to 10 s', () => {
    const longest = [0, 1, 2, 3, 4, 5, 6, 7, 1000].map((failures) => backoff(failures, 1));
    assert.deepEqual(longest, [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]);
  });

  test('is never less than half of that', () => {
    assert.equal(backoff(0, 0), 125);
    assert.equal(backoff(50, 0), 5_000);
  });
});
