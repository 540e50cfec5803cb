/** Waits for what is to happen elsewhere. What never does fails the test, and is told: nothing waits for ever. */
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';

/** Far beyond what anything takes on the busiest of machines. */
const PATIENCE_MS = 60_000;

export async function until(condition: () => boolean | Promise<boolean>): Promise<void> {
  const end = performance.now() + PATIENCE_MS;
  while (!(await condition())) {
    assert.ok(performance.now() < end, `never came: ${condition}`);
    await sleep(2);
  }
}
