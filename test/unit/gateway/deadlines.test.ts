/** Each slot is due after its time, once and in order, whatever else is added and removed. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { Deadlines } from '../../../src/gateway/deadlines.js';

function takeAll(deadlines: Deadlines, now: number): number[] {
  const due: number[] = [];
  for (let slot = deadlines.takeDue(now); slot !== 0; slot = deadlines.takeDue(now)) due.push(slot);
  return due;
}

test('a slot is due after its time, once', () => {
  const deadlines = new Deadlines(10, 60);
  deadlines.add(3, 0);
  assert.deepEqual(takeAll(deadlines, 59), []);
  assert.deepEqual(takeAll(deadlines, 60), [3]);
  assert.deepEqual(takeAll(deadlines, 61), []);
});

test('a wait of 0 is due at once', () => {
  const deadlines = new Deadlines(1, 0);
  deadlines.add(1, 0);
  assert.deepEqual(takeAll(deadlines, 0), [1]);
  deadlines.add(1, 0);
  deadlines.remove(1);
  assert.deepEqual(takeAll(deadlines, 0), []);
});

test('whatever is added and removed, exactly the others become due, in order', () => {
  const step = fc.record({ slot: fc.integer({ min: 1, max: 8 }), pause: fc.nat(5) });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 100 }), (steps) => {
      const deadlines = new Deadlines(8, 10);
      let waiting: [slot: number, due: number][] = [];
      let now = 0;
      for (const { slot, pause } of steps) {
        if (waiting.some(([other]) => other === slot)) {
          deadlines.remove(slot);
          waiting = waiting.filter(([other]) => other !== slot);
        } else {
          deadlines.remove(slot);
          deadlines.add(slot, now);
          waiting.push([slot, now + 10]);
        }
        now += pause;
        const due = waiting.filter(([, at]) => at <= now).map(([other]) => other);
        waiting = waiting.filter(([, at]) => at > now);
        assert.deepEqual(takeAll(deadlines, now), due);
      }
    }),
  );
});
