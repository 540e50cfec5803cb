/** What is to be looked at again after a while, always the same: one queue, and one timer for all of it. */

export class Later<T> {
  readonly #delayMs: number;
  readonly #act: (item: T) => void;
  readonly #queue: { readonly item: T; readonly due: number }[] = [];
  #timer: NodeJS.Timeout | undefined;
  #isStopped = false;

  constructor(delayMs: number, act: (item: T) => void) {
    this.#delayMs = delayMs;
    this.#act = act;
  }

  add(item: T): void {
    if (this.#isStopped) return;
    this.#queue.push({ item, due: performance.now() + this.#delayMs });
    this.#timer ??= setTimeout(() => this.#run(), this.#delayMs);
  }

  stop(): void {
    this.#isStopped = true;
    clearTimeout(this.#timer);
    this.#queue.length = 0;
  }

  #run(): void {
    this.#timer = undefined;
    const now = performance.now();
    const end = this.#queue.findIndex(({ due }) => due > now);
    for (const { item } of this.#queue.splice(0, end < 0 ? this.#queue.length : end)) this.#act(item);
    const first = this.#queue[0];
    if (first !== undefined && !this.#isStopped)
      this.#timer ??= setTimeout(() => this.#run(), Math.max(1, first.due - performance.now()));
  }
}
