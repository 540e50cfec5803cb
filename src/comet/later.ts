/** What is to be looked at again after a while, always the same or up to twice as long: one timer for all of it. */

export class Later<T> {
  readonly #delayMs: number;
  readonly #act: (item: T) => void;
  /** For the end of the pause that runs, and of the one behind it. */
  #now: T[] = [];
  #then: T[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(delayMs: number, act: (item: T) => void) {
    this.#delayMs = delayMs;
    this.#act = act;
  }

  add(item: T): void {
    if (this.#isStopped) return;
    if (this.#timer !== undefined) {
      this.#then.push(item);
      return;
    }
    this.#now.push(item);
    this.#timer = setTimeout(() => this.#run(), this.#delayMs);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
  }

  #run(): void {
    const due = this.#now;
    this.#now = this.#then;
    this.#then = [];
    this.#timer = this.#now.length > 0 ? setTimeout(() => this.#run(), this.#delayMs) : undefined;
    for (const item of due) this.#act(item);
  }
}
