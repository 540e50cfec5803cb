/**
 * How often something took how long. An observation is some comparisons and two additions, and allocates nothing: a twentieth
 * of prom-client's, for it comes with each request. Durations are in ticks of the turn clock.
 */

import type { Labels, Sample } from './prometheus.js';
import { TICKS_PER_SECOND } from './turn-clock.js';

/** Upper bounds in seconds: of what is answered at once, and of what is held. */
const BOUNDS: readonly number[] = [
  0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120,
];
const ENDS = Int32Array.from(BOUNDS, (bound) => bound * TICKS_PER_SECOND);

/** By upper bound, each without those below it, and `sum` in seconds. Of several the sum, key by key, is that of all. */
export type Durations = Readonly<Record<string, number>>;

export class Histogram {
  readonly #counts = new Float64Array(BOUNDS.length + 1);
  #ticks = 0;

  observe(ticks: number): void {
    let at = 0;
    while (at < ENDS.length && ticks > (ENDS[at] ?? 0)) at += 1;
    this.#counts[at] = (this.#counts[at] ?? 0) + 1;
    this.#ticks += ticks;
  }

  report(): Durations {
    const counts = [...BOUNDS.map(String), '+Inf'].map((bound, at) => [bound, this.#counts[at] ?? 0]);
    return { ...Object.fromEntries(counts), sum: this.#ticks / TICKS_PER_SECOND };
  }
}

/** As samples of a metric of that type. */
export function histogramSamples({ sum = 0, ...counts }: Durations, labels: Labels): Sample[] {
  const bounds = Object.keys(counts).sort((a, b) => numberOf(a) - numberOf(b));
  let count = 0;
  const buckets = bounds.map((bound): Sample => {
    count += counts[bound] ?? 0;
    return { suffix: '_bucket', labels: { ...labels, le: bound }, value: count };
  });
  return [...buckets, { suffix: '_sum', labels, value: sum }, { suffix: '_count', labels, value: count }];
}

/** How long that part of all took at most, between the bounds by the rule of three, in seconds; `null` where there was none. */
export function quantile({ sum: _, ...counts }: Durations, part: number): number | null {
  const bounds = Object.keys(counts).sort((a, b) => numberOf(a) - numberOf(b));
  let left = part * bounds.reduce((total, bound) => total + (counts[bound] ?? 0), 0);
  if (left === 0) return null;
  let lower = 0;
  for (const bound of bounds) {
    const [count, upper] = [counts[bound] ?? 0, numberOf(bound)];
    // Of those beyond the last bound no more is known.
    if (left <= count && count > 0)
      return Number.isFinite(upper) ? lower + ((upper - lower) * left) / count : lower;
    left -= count;
    if (Number.isFinite(upper)) lower = upper;
  }
  return lower;
}

const numberOf = (bound: string): number => (bound === '+Inf' ? Number.POSITIVE_INFINITY : Number(bound));
