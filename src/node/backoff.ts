/** How long to wait before the next attempt to connect. */

const FIRST_MS = 250;
const LONGEST_MS = 10_000;

/**
 * Doubles with every failure, and lies at random between half of that and all of it, so that many gateways
 * do not come back to a restarted node in step.
 * @param random 0 ≤ random < 1
 * @returns milliseconds
 */
export function backoff(failures: number, random: number = Math.random()): number {
  const longest = Math.min(LONGEST_MS, FIRST_MS * 2 ** failures);
  return longest * (0.5 + random / 2);
}
