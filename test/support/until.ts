/** Waits for what is to happen elsewhere. What never does fails the test, and is told: nothing waits for ever. */
import assert from 'node:assert/strict';
import { type EventEmitter, once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { PATIENCE_MS, within } from '../../scripts/support/within.js';

/** Looks less and less often, not to keep a busy machine busier. */
const LONGEST_PAUSE_MS = 50;

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  for (let pause = 2; !(await condition()); pause = Math.min(1.2 * pause, LONGEST_PAUSE_MS)) {
    assert.ok(performance.now() < end, `never came: ${condition}`);
    await sleep(pause);
  }
}

/** The next of such events. */
export const happens = (emitter: EventEmitter, event: string) =>
  within(once(emitter, event), () => `${event} of ${emitter.constructor.name}`);

/** Asks again and again until it gets the answer that is waited for. */
export async function eventually<T>(ask: () => Promise<T>, isIt: (answer: T) => boolean): Promise<T> {
  let answer = await ask();
  let isFirst = true;
  await until(async () => {
    if (!isFirst) answer = await ask();
    isFirst = false;
    return isIt(answer);
  });
  return answer;
}
