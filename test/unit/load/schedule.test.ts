/** Who writes to whom and when: both kinds of traffic, the same for the same seed. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { type Due, type Plan, schedule } from '../../../scripts/load/schedule.js';

const PLAN: Plan = { pattern: 'random', rate: 1_000, seed: 1, first: 10, senders: 20, everybody: 50 };

const take = (plan: Plan, count: number): Due[] => {
  const all = schedule(plan);
  return Array.from({ length: count }, () => all.next().value);
};

test('lets each write to the next of its process, evenly', () => {
  assert.deepEqual(take({ ...PLAN, pattern: 'next', senders: 3 }, 4), [
    { at: 0, sender: 10, recipient: 11 },
    { at: 1_000, sender: 11, recipient: 12 },
    { at: 2_000, sender: 12, recipient: 10 },
    { at: 3_000, sender: 10, recipient: 11 },
  ]);
});

test('lets everybody write to everybody else, at the rate that was asked for', () => {
  const messages = take(PLAN, 20_000);
  for (const { sender, recipient } of messages) {
    assert.ok(sender >= 10 && sender < 30 && recipient >= 0 && recipient < 50 && recipient !== sender);
  }
  const pairs = new Set(messages.map(({ sender, recipient }) => sender * 50 + recipient));
  assert.equal(pairs.size, 20 * 49);
  // Twenty seconds of 1000 a second, whose standard deviation is 0.7 %.
  const last = messages.at(-1)?.at ?? 0;
  assert.ok(Math.abs(last / 20e6 - 1) < 0.03, String(last));
  assert.deepEqual(
    messages,
    messages.toSorted((a, b) => a.at - b.at),
  );
});

test('is the same for the same seed, and another for another', () => {
  assert.deepEqual(take(PLAN, 100), take(PLAN, 100));
  assert.notDeepEqual(take(PLAN, 100), take({ ...PLAN, seed: 2 }, 100));
});
