/** A clock for tests of what is bounded by the second: they need not be quick to go beyond, on the busiest of machines. */
import type { TestContext } from 'node:test';

/**
 * `performance.now()` goes a thousand times slower until the end of the test. So do waits (`until`) by it: give the test a time-out
 * of its own.
 */
export function slowClock(t: TestContext): void {
  const now = performance.now.bind(performance);
  const begin = now();
  t.mock.method(performance, 'now', () => begin + (now() - begin) / 1000);
}
