/** How WebSockets are told to go: evenly, by a clock of the test. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { drain, seeOther } from '../../../src/http/drain.js';

/** How many are told in each step of a clock that runs as it is waited for. */
async function told(count: number, seconds: number): Promise<number[]> {
  const steps = [0];
  let now = 5;
  const sockets = Array.from({ length: count }, () => ({
    stop: () => {
      steps[steps.length - 1] = (steps.at(-1) ?? 0) + 1;
    },
  }));
  await drain(sockets, seconds, {
    now: () => now,
    sleep: async (milliseconds) => {
      now += milliseconds;
      steps.push(0);
    },
  });
  return steps;
}

test('each is told once, as many in each part of the time, and all at its end', async () => {
  const steps = await told(1000, 5);
  assert.equal(
    steps.reduce((sum, each) => sum + each, 0),
    1000,
  );
  assert.deepEqual([steps.length, steps[0], Math.max(...steps)], [501, 0, 2]);
  assert.deepEqual(await told(3, 0), [3]);
  assert.deepEqual(await told(0, 5), [0]);
  const few = await told(2, 1);
  assert.deepEqual([few.length, few.indexOf(1), few.lastIndexOf(1)], [52, 1, 51]);
});

test('where to go is said in XML', () => {
  assert.equal(
    seeOther("wss://b.example/ws?a=1&b='")?.toString(),
    "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing' see-other-uri='wss://b.example/ws?a=1&amp;b=&apos;'/>",
  );
  assert.equal(seeOther(''), undefined);
});
