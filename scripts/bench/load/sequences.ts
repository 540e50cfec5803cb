/** Whether messages arrive once and in order: each sender numbers its messages from 1. */

interface Progress {
  /** The lowest number that is above all seen. */
  next: number;
  /** Numbers below it that were not seen yet. */
  readonly missing: Set<number>;
}

export class Sequences {
  /** Different messages that arrived. */
  delivered = 0;
  /** Arrivals of a message that had arrived before. */
  doubled = 0;
  /** Messages that arrived after a later one. */
  reordered = 0;
  readonly #bySender = new Map<number, Progress>();

  saw(sender: number, seq: number): void {
    let progress = this.#bySender.get(sender);
    if (progress === undefined) {
      progress = { next: 1, missing: new Set() };
      this.#bySender.set(sender, progress);
    }
    if (seq >= progress.next) {
      for (let skipped = progress.next; skipped < seq; skipped += 1) progress.missing.add(skipped);
      progress.next = seq + 1;
      this.delivered += 1;
    } else if (progress.missing.delete(seq)) {
      this.delivered += 1;
      this.reordered += 1;
    } else {
      this.doubled += 1;
    }
  }
}
