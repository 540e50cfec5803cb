/**
 * Counts of values in buckets that are exact below 64 and at most 1/32 wide beyond: percentiles of any number of
 * values in a few kilobytes, which can be added up over processes.
 */

/** 32 buckets for each power of two from 2^5 to 2^31. */
const BUCKETS = 32 * 28;

export class Histogram {
  readonly #counts: number[];

  constructor(counts: readonly number[] = []) {
    this.#counts = Array.from({ length: BUCKETS }, (_, index) => counts[index] ?? 0);
  }

  /** The counts, for another process. */
  get counts(): readonly number[] {
    return this.#counts;
  }

  get total(): number {
    return this.#counts.reduce((sum, count) => sum + count, 0);
  }

  /** @param value what is negative counts as 0, what is 2^31 or more as 2^31 − 1 */
  add(value: number, times = 1): void {
    const index = bucketOf(Math.min(Math.max(Math.floor(value), 0), 2 ** 31 - 1));
    this.#counts[index] = (this.#counts[index] ?? 0) + times;
  }

  merge(other: Histogram): void {
    for (const [index, count] of other.counts.entries()) {
      this.#counts[index] = (this.#counts[index] ?? 0) + count;
    }
  }

  clear(): void {
    this.#counts.fill(0);
  }

  /**
   * The least value that is not exceeded by `percent` of all: the upper end of its bucket. NaN where there is none.
   * @param percent above 0, at most 100
   */
  percentile(percent: number): number {
    const rank = Math.ceil((this.total * percent) / 100);
    let seen = 0;
    for (const [index, count] of this.#counts.entries()) {
      seen += count;
      if (count > 0 && seen >= rank) return upperEnd(index);
    }
    return Number.NaN;
  }
}

function bucketOf(value: number): number {
  if (value < 64) return value;
  const shift = 26 - Math.clz32(value);
  return shift * 32 + (value >>> shift);
}

function upperEnd(index: number): number {
  if (index < 64) return index;
  const shift = Math.floor(index / 32) - 1;
  return (index - shift * 32 + 1) * 2 ** shift - 1;
}
