/** What the same measurement said in several rounds: the one in the middle, and how far the others lie from it. */

export interface Spread {
  readonly median: number;
  readonly low: number;
  readonly high: number;
}

/** NaN is what was not measured in a round. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = values.filter((value) => !Number.isNaN(value)).toSorted((a, b) => a - b);
  const at = (index: number): number => sorted[index] ?? Number.NaN;
  const middle = (sorted.length - 1) / 2;
  return {
    median: (at(Math.floor(middle)) + at(Math.ceil(middle))) / 2,
    low: at(0),
    high: at(sorted.length - 1),
  };
}

export const median = (values: readonly number[]): number => spreadOf(values).median;

export const ratioOf = (values: readonly number[], to: readonly number[]): Spread =>
  spreadOf(values.map((value, round) => value / (to[round] ?? Number.NaN)));

/** `0.95 (0.91–1.02)`; nothing where nothing was measured. */
export const spreadText = ({ median: middle, low, high }: Spread): string =>
  Number.isFinite(middle) ? `${middle.toFixed(2)} (${low.toFixed(2)}–${high.toFixed(2)})` : '';
