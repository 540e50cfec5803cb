/** How long the next attempt to connect waits, after failures and after connections that lasted. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { backoff, failuresAfter } from '../../../src/node/backoff.js';

describe('backoff', () => {
  test('is nothing without a failure, then doubles from 250 ms to 10 s', () => {
    const longest = [0, 1, 2, 3, 4, 5, 6, 7, 8, 1000].map((failures) => backoff(failures, 1));
    assert.deepEqual(longest, [0, 250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000, 10_000]);
  });

  test('is never less than half of that', () => {
    assert.equal(backoff(1, 0), 125);
    assert.equal(backoff(50, 0), 5_000);
  });

  test('a connection that lasted a second is connected again at once, however often it is cut', () => {
    const lasted = fc.oneof(fc.integer({ min: 1_000 }), fc.constantFrom(1_000, 2_500));
    const connections = fc.array(lasted, { minLength: 1 });
    fc.assert(
      fc.property(fc.nat(100), connections, (before, all) => {
        let failures = before;
        for (const lastedMs of all) {
          failures = failuresAfter(failures, lastedMs);
          assert.equal(backoff(failures), 0);
        }
      }),
    );
  });

  test('a peer that drops each connection at once, or lets none in, is tried six times in four seconds at most', () => {
    const outcome = fc.oneof(
      fc.constant({ kind: 'refused' as const }),
      fc.integer({ min: 0, max: 999 }).map((lastedMs) => ({ kind: 'dropped' as const, lastedMs })),
    );
    fc.assert(
      fc.property(
        fc.array(outcome, { minLength: 6, maxLength: 6 }),
        fc.double({ min: 0, max: 0.999, noNaN: true }),
        (outcomes, random) => {
          let failures = 0;
          let waited = 0;
          for (const each of outcomes) {
            failures = each.kind === 'refused' ? failures + 1 : failuresAfter(failures, each.lastedMs);
            waited += backoff(failures, random);
          }
          assert.ok(waited >= 4_000, `${waited} ms`);
        },
      ),
    );
  });
});
