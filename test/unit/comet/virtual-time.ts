/** Timers that fire at the test's word. (Those of node:test take out another one when one that has fired is cleared, in Node.js 20.) */

interface Timer {
  at: number;
  readonly act: () => void;
}

export class VirtualTime {
  #now = 0;
  #timers: Timer[] = [];
  readonly #real = { setTimeout, clearTimeout, setImmediate };

  constructor() {
    const add = (act: () => void, ms: number): Timer => {
      const timer = { at: this.#now + ms, act };
      this.#timers.push(timer);
      return timer;
    };
    const remove = (timer: unknown): void => {
      this.#timers = this.#timers.filter((each) => each !== timer);
    };
    Object.assign(globalThis, {
      setTimeout: add,
      setImmediate: (act: () => void) => add(act, 0),
      clearTimeout: remove,
    });
  }

  /** Fires what is due by then, in its order. */
  pass(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#timers = this.#timers.filter((each) => each !== due);
      this.#now = Math.max(this.#now, due.at);
      due.act();
    }
    this.#now = end;
  }

  restore(): void {
    Object.assign(globalThis, this.#real);
  }
}
