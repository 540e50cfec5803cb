/** Sums of records, key by key: a key that one lacks is the other's. */

export type Counts = Readonly<Record<string, number>>;

export const addCounts = (a: Counts, b: Counts): Counts => merge(a, b, (one, other) => one + other);

export const total = (counts: Counts): number => Object.values(counts).reduce((sum, count) => sum + count, 0);

/** @param both where both have that member */
export function merge<T>(
  a: Readonly<Record<string, T>>,
  b: Readonly<Record<string, T>>,
  both: (one: T, other: T) => T,
): Readonly<Record<string, T>> {
  const merged = { ...a };
  for (const [key, value] of Object.entries(b)) {
    const other = merged[key];
    merged[key] = other === undefined ? value : both(other, value);
  }
  return merged;
}
