/** What a load generator counts. All grow, but for `online`. */

export interface Counters {
  online: number;
  logins: number;
  /** Sessions that ended other than by logging out, and why. */
  ended: Record<string, number>;
  /** Logins that the server put off (503), to be tried again. */
  refused: number;
  /** Requests that were repeated, and why: the connection was lost, or a 5xx came. */
  broken: Record<string, number>;
  requests: number;
  /** Messages; those sent and neither delivered nor doubled are on their way, or lost. */
  sent: number;
  delivered: number;
  doubled: number;
  /** Arrivals of messages that were due before the latest talk began. */
  stragglers: number;
  reordered: number;
}

export const noCounters = (): Counters => ({
  online: 0,
  logins: 0,
  ended: {},
  refused: 0,
  broken: {},
  requests: 0,
  sent: 0,
  delivered: 0,
  doubled: 0,
  stragglers: 0,
  reordered: 0,
});

export const increment = (counts: Record<string, number>, key: string, by = 1): void => {
  counts[key] = (counts[key] ?? 0) + by;
};

export const countsOf = (counts: Record<string, number>): number =>
  Object.values(counts).reduce((sum, count) => sum + count, 0);

export function sum(all: readonly Counters[]): Counters {
  const total = noCounters();
  for (const { ended, broken, ...numbers } of all) {
    for (const [reason, count] of Object.entries(ended)) increment(total.ended, reason, count);
    for (const [reason, count] of Object.entries(broken)) increment(total.broken, reason, count);
    for (const key of Object.keys(numbers) as (keyof typeof numbers)[]) total[key] += numbers[key];
  }
  return total;
}
