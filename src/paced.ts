/**
 * Acts on many, not all in one instant: clients whose connections end come back at once, and all of them to those that are
 * left. A few take no time, any number at most so many seconds. Between times no timer runs.
 */

const STEP_MS = 50;
/** In a step at least, of all batches together. */
const LEAST = 20;

interface Batch<T> {
  readonly items: readonly T[];
  readonly resolve: () => void;
  next: number;
  /** That are left to it. */
  steps: number;
}

export class Paced<T> {
  readonly #act: (item: T) => void;
  readonly #steps: number;
  #batches: Batch<T>[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** @param seconds in which each batch is dealt with; 0: in one step */
  constructor(act: (item: T) => void, seconds: number) {
    this.#act = act;
    this.#steps = Math.max(1, Math.round((seconds * 1000) / STEP_MS));
  }

  /** Resolves when each of these had its turn, or will not have it. */
  add(items: readonly T[]): Promise<void> {
    if (items.length === 0) return Promise.resolve();
    this.#timer ??= setInterval(() => this.#step(), STEP_MS);
    return new Promise((resolve) => {
      this.#batches.push({ items, resolve, next: 0, steps: this.#steps });
    });
  }

  /** What is left is left out. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    for (const { resolve } of this.#batches.splice(0)) resolve();
  }

  #step(): void {
    // Of all together: many small batches are no quicker than a large one.
    const due = this.#batches.reduce((sum, { items, next, steps }) => sum + (items.length - next) / steps, 0);
    let left = Math.max(LEAST, Math.ceil(due));
    for (const batch of [...this.#batches]) {
      const end = Math.min(batch.items.length, batch.next + left);
      left -= end - batch.next;
      batch.steps = Math.max(1, batch.steps - 1);
      while (batch.next < end) {
        // One of them may be the end of it all.
        if (this.#timer === undefined) return;
        const item = batch.items[batch.next] as T;
        batch.next += 1;
        this.#act(item);
      }
      if (batch.next === batch.items.length) batch.resolve();
    }
    this.#batches = this.#batches.filter(({ items, next }) => next < items.length);
    if (this.#batches.length === 0) this.stop();
  }
}
