/** Whether messages arrive once and in order: each sender numbers its messages from 1. */

interface Progress {
  /** The lowest number that is above all that arrived. */
  next: number;
  /** Numbers below it that did not arrive yet. */
  readonly missing: Set<number>;
  /** The latest in order. */
  last: number;
}

export class Sequences {
  /** Different messages that arrived. */
  delivered = 0;
  /** Arrivals of a message that had arrived before. */
  doubled = 0;
  /** Messages behind a later one of the same sender. */
  reordered = 0;
  readonly #bySender = new Map<number, Progress>();

  arrived(sender: number, seq: number): void {
    const progress = this.#of(sender);
    if (seq >= progress.next) {
      for (let skipped = progress.next; skipped < seq; skipped += 1) progress.missing.add(skipped);
      progress.next = seq + 1;
      this.delivered += 1;
    } else if (progress.missing.delete(seq)) {
      this.delivered += 1;
    } else {
      this.doubled += 1;
    }
  }

  /** In the order in which the recipient takes them, which connections that overtake each other do not change. */
  ordered(sender: number, seq: number): void {
    const progress = this.#of(sender);
    if (seq < progress.last) this.reordered += 1;
    else progress.last = seq;
  }

  #of(sender: number): Progress {
    let progress = this.#bySender.get(sender);
    if (progress === undefined) {
      progress = { next: 1, missing: new Set(), last: 0 };
      this.#bySender.set(sender, progress);
    }
    return progress;
  }
}
