/** Lines that strangers can cause: one of a kind a minute, and the count of the others. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { pino } from 'pino';
import { LimitedLog, Repeats } from '../../../src/observe/limited-log.js';

const MINUTE = 60_000;

test('the first of a kind is told at once, the others as a count when its minute is over', () => {
  const repeats = new Repeats();
  assert.deepEqual(
    [0, 1, 2].map((now) => repeats.tell('a', now)),
    [true, false, false],
  );
  assert.equal(repeats.tell('b', 2), true);
  assert.deepEqual(repeats.takeDue(MINUTE - 1), []);
  assert.equal(repeats.nextDue, MINUTE);
  assert.deepEqual(repeats.takeDue(MINUTE), [['a', 2]]);
  assert.equal(repeats.nextDue, undefined);
  // The count has begun another minute.
  assert.equal(repeats.tell('a', MINUTE + 1), false);
  assert.equal(repeats.tell('b', MINUTE + 2), true);
});

test('a kind is told once a minute at most, and nothing goes untold', () => {
  const kind = fc.constantFrom('a', 'b', 'c');
  const events = fc.array(fc.tuple(kind, fc.integer({ min: 0, max: 5_000 })), { maxLength: 200 });
  fc.assert(
    fc.property(events, (all) => {
      const repeats = new Repeats();
      const told = new Map<string, number[]>();
      const line = (what: string, now: number): void => void told.set(what, [...(told.get(what) ?? []), now]);
      let now = 0;
      let counted = 0;
      for (const [what, later] of all) {
        now += later;
        for (const [due, count] of repeats.takeDue(now)) {
          line(due, now);
          counted += count;
        }
        if (repeats.tell(what, now)) {
          line(what, now);
          counted += 1;
        }
      }
      for (const times of told.values()) {
        for (const [index, time] of times.entries()) {
          assert.ok(index === 0 || time - (times[index - 1] ?? 0) >= MINUTE);
        }
      }
      for (const [, count] of repeats.takeDue(Number.POSITIVE_INFINITY)) counted += count;
      assert.equal(counted, all.length);
    }),
  );
});

test('ten thousand of one kind make two lines', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const lines: string[] = [];
  let now = 0;
  const limited = new LimitedLog(pino({}, { write: (line) => lines.push(line) }), () => now);
  for (let count = 0; count < 10_000; count += 1) limited.warn('X', { code: 'X' }, 'refused');
  assert.equal(lines.length, 1);
  now = MINUTE;
  context.mock.timers.tick(MINUTE);
  assert.equal(lines.length, 2);
  const { code, count } = JSON.parse(lines[1] ?? '') as { code: string; count: number };
  assert.deepEqual([code, count], ['X', 9_999]);
});
