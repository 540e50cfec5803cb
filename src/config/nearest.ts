/** The known word that a mistyped one most likely meant. */

import { closest, distance } from 'fastest-levenshtein';

/** `undefined` where none is near enough to be a slip. */
export function nearest(word: string, known: readonly string[]): string | undefined {
  const candidate = closest(word, [...known]);
  const isNear = distance(word, candidate) <= Math.max(2, Math.floor(word.length / 3));
  return isNear ? candidate : undefined;
}
