/** The account of the messages from one user to another. It grows with what is on its way, not with what was. */

/** Sent, and not received yet. */
export interface Open {
  readonly sentAt: number;
  acceptedAt: number | undefined;
}

/**
 *   fresh      for the first time, and in order
 *   overtaken  for the first time, behind a later one
 *   again      once more
 *   unknown    nobody sent it
 */
export type Receipt = 'fresh' | 'overtaken' | 'again' | 'unknown';

export class Pair {
  /** By number; in the order in which they were sent. */
  readonly open = new Map<number, Open>();
  #sentUpTo = 0;
  #last = 0;

  /** @throws Error where the history itself is wrong: numbers come one after the other */
  sent(seq: number, at: number): void {
    if (seq !== this.#sentUpTo + 1) throw new Error(`message ${seq} was sent behind ${this.#sentUpTo}`);
    this.#sentUpTo = seq;
    this.open.set(seq, { sentAt: at, acceptedAt: undefined });
  }

  accepted(seq: number, at: number): void {
    const message = this.open.get(seq);
    if (message !== undefined) message.acceptedAt ??= at;
  }

  received(seq: number): Receipt {
    if (seq < 1 || seq > this.#sentUpTo) return 'unknown';
    if (!this.open.delete(seq)) return 'again';
    if (seq < this.#last) return 'overtaken';
    this.#last = seq;
    return 'fresh';
  }
}
