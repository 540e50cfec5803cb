/**
 * Deadlines of many slots that all wait equally long: a queue in order of arrival, so the earliest deadline is
 * always at its head. One coarse clock looks there once a second; no exchange has a timer of its own.
 */

export class Deadlines {
  readonly #after: number;
  /** When each slot's time comes; infinite for one that is not in the queue. */
  readonly #due: Float64Array;
  /** A ring of slots linked both ways; 0 is its head and tail. */
  readonly #next: Uint32Array;
  readonly #previous: Uint32Array;

  /** @param capacity the highest slot; @param after how long a slot waits, in the unit of `now` */
  constructor(capacity: number, after: number) {
    this.#after = after;
    this.#due = new Float64Array(capacity + 1).fill(Number.POSITIVE_INFINITY);
    this.#next = new Uint32Array(capacity + 1);
    this.#previous = new Uint32Array(capacity + 1);
  }

  /** `slot` must not be in the queue; `now` must never run backwards. */
  add(slot: number, now: number): void {
    const last = this.#previous[0] ?? 0;
    this.#due[slot] = now + this.#after;
    this.#join(last, slot);
    this.#join(slot, 0);
  }

  /** Does nothing when `slot` is not in the queue. */
  remove(slot: number): void {
    if (this.#due[slot] === Number.POSITIVE_INFINITY) return;
    this.#due[slot] = Number.POSITIVE_INFINITY;
    this.#join(this.#previous[slot] ?? 0, this.#next[slot] ?? 0);
  }

  /** Takes out a slot whose time has come; 0 when there is none. */
  takeDue(now: number): number {
    const slot = this.#next[0] ?? 0;
    if ((this.#due[slot] ?? 0) > now) return 0;
    this.remove(slot);
    return slot;
  }

  #join(before: number, after: number): void {
    this.#next[before] = after;
    this.#previous[after] = before;
  }
}
