/**
 * The time at which a turn of the event loop first asked for it: a look at the clock costs more than all that is counted for a
 * request (50 to 250 ns), and under load many requests share a turn.
 */

export const TICKS_PER_SECOND = 10_000;

export class TurnClock {
  #now = 0;
  #isSet = false;
  readonly #unset = (): void => {
    this.#isSet = false;
  };

  /** Ticks, as an integer of 32 bits that comes round after five days: what V8 keeps without a place of its own. */
  get now(): number {
    if (this.#isSet) return this.#now;
    this.#isSet = true;
    this.#now = (performance.now() * (TICKS_PER_SECOND / 1000)) | 0;
    setImmediate(this.#unset);
    return this.#now;
  }

  /** Ticks since `then`, less than two days ago. */
  since(then: number): number {
    return Math.max(0, (this.now - then) | 0);
  }
}
