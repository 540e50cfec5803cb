/** Whether messages arrive once and in order: each sender numbers its messages to each recipient from 1. */

interface Progress {
  /** The lowest number that is above all that arrived. */
  next: number;
  /** Numbers below it that did not arrive yet; most pairs never miss any. */
  missing: Set<number> | undefined;
  /** The latest in order. */
  last: number;
}

export class Sequences {
  /** Different messages that arrived. */
  delivered = 0;
  /** Arrivals of a message that had arrived before. */
  doubled = 0;
  /** Messages behind a later one of the same pair. */
  reordered = 0;
  readonly #byPair = new Map<number, Progress>();

  arrived(pair: number, seq: number): void {
    const progress = this.#of(pair);
    if (seq >= progress.next) {
      for (let skipped = progress.next; skipped < seq; skipped += 1) {
        progress.missing ??= new Set();
        progress.missing.add(skipped);
      }
      progress.next = seq + 1;
      this.delivered += 1;
    } else if (progress.missing?.delete(seq)) {
      this.delivered += 1;
    } else {
      this.doubled += 1;
    }
  }

  /** In the order in which the recipient takes them, which connections that overtake each other do not change. */
  ordered(pair: number, seq: number): void {
    const progress = this.#of(pair);
    if (seq < progress.last) this.reordered += 1;
    else progress.last = seq;
  }

  #of(pair: number): Progress {
    let progress = this.#byPair.get(pair);
    if (progress === undefined) {
      progress = { next: 1, missing: undefined, last: 0 };
      this.#byPair.set(pair, progress);
    }
    return progress;
  }
}
