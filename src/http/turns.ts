/**
 * Who waits for another turn of the event loop to read on: connections whose client did not wait for its answers. Each
 * is served one request, in the order in which they asked, and few of them in a turn, so that requests of others never
 * wait for more than those.
 */

/** Requests that are read from what waits, all connections together: less than a millisecond of work. */
const SERVED = 32;

export interface Waiting {
  /** Its turn has come. It may ask for another. */
  takeTurn(): void;
}

export class Turns {
  readonly #soon: (next: () => void) => unknown;
  #isAsked = false;
  readonly #waiting = new Set<Waiting>();

  /** @param soon calls what it is given in another turn */
  constructor(soon: (next: () => void) => unknown = setImmediate) {
    this.#soon = soon;
  }

  /** One that waits already keeps its place. */
  wait(waiting: Waiting): void {
    this.#waiting.add(waiting);
    this.#ask();
  }

  leave(waiting: Waiting): void {
    this.#waiting.delete(waiting);
  }

  #ask(): void {
    if (this.#isAsked) return;
    this.#isAsked = true;
    this.#soon(this.#next);
  }

  readonly #next = (): void => {
    this.#isAsked = false;
    // Who asks again stands behind all others.
    let left = Math.min(SERVED, this.#waiting.size);
    for (const waiting of this.#waiting) {
      this.#waiting.delete(waiting);
      waiting.takeTurn();
      left -= 1;
      if (left === 0) break;
    }
    if (this.#waiting.size > 0) this.#ask();
  };
}
