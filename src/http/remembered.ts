/**
 * What was worked out of texts that clients send, so that it is worked out once. In two generations: what is used again goes from
 * the older one to the younger, and when that is full, the older one is forgotten.
 */

import { ownText } from './own-text.js';

/** Whoever sends longer ones has them worked out each time. */
const MOST_CHARACTERS = 64;

export class Remembered {
  readonly #most: number;
  #young = new Map<string, string>();
  #old = new Map<string, string>();

  /** @param most texts, of either generation */
  constructor(most: number) {
    this.#most = most;
  }

  get(text: string): string | undefined {
    const young = this.#young.get(text);
    if (young !== undefined) return young;
    const old = this.#old.get(text);
    if (old !== undefined) this.set(text, old);
    return old;
  }

  set(text: string, value: string): void {
    if (text.length > MOST_CHARACTERS) return;
    if (this.#young.size >= this.#most) {
      this.#old = this.#young;
      this.#young = new Map();
    }
    this.#young.set(ownText(text), value);
  }
}
