/** How long to wait before the next attempt to connect. */

const FIRST_MS = 250;
const LONGEST_MS = 10_000;
/** A connection that broke sooner than this counts as a failure, or a peer that drops us at once would be hammered. */
const STABLE_MS = 1_000;

/**
 * Nothing after a connection that was good: whatever cut it may be over. From the first failure on it doubles with each, and
 * lies at random between half of that and all of it, so that many gateways do not come back to a restarted node in step.
 * @param failures in a row
 * @param random 0 ≤ random < 1
 * @returns milliseconds
 */
export function backoff(failures: number, random: number = Math.random()): number {
  if (failures === 0) return 0;
  const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** (failures - 1));
  return longest * (0.5 + random / 2);
}

/** How many failures in a row there are when a connection is lost that lasted so long, with so many before it. */
export function failuresAfter(failures: number, lastedMs: number): number {
  return lastedMs < STABLE_MS ? failures + 1 : 0;
}
