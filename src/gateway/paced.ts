/**
 * Acts on many, not all in one instant: clients whose connections are closed come back at once, and all of them to the
 * nodes that are left. A few take no time, any number at most so many seconds. Between times no timer runs.
 */

const STEP_MS = 50;
const SECONDS = 5;
const STEPS = (SECONDS * 1000) / STEP_MS;
/** In a step at least. */
const LEAST = 20;

interface Batch {
  readonly slots: readonly number[];
  next: number;
  steps: number;
}

export class Paced {
  readonly #act: (slot: number) => void;
  #batches: Batch[] = [];
  #timer: NodeJS.Timeout | undefined;

  constructor(act: (slot: number) => void) {
    this.#act = act;
  }

  add(slots: readonly number[]): void {
    if (slots.length === 0) return;
    this.#batches.push({ slots, next: 0, steps: STEPS });
    this.#timer ??= setInterval(() => this.#step(), STEP_MS);
  }

  /** What is left is left out. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#batches = [];
  }

  #step(): void {
    for (const batch of this.#batches) {
      const left = batch.slots.length - batch.next;
      const end = batch.next + Math.max(LEAST, Math.ceil(left / batch.steps));
      batch.steps -= 1;
      while (batch.next < Math.min(end, batch.slots.length)) {
        const slot = batch.slots[batch.next] ?? 0;
        batch.next += 1;
        this.#act(slot);
      }
    }
    this.#batches = this.#batches.filter(({ slots, next }) => next < slots.length);
    if (this.#batches.length === 0) this.stop();
  }
}
