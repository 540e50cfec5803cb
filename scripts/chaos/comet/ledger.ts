/**
 * What one page got. A sender numbers what it sends to an id from 1 on, so what comes tells by itself whether it is
 *
 *   next        the number behind the last one, or a larger one: those between are open
 *   reordered   one that was open
 *   doubled     one that was there
 *
 * and what is open at the end is lost.
 */

export type Receipt = 'next' | 'reordered' | 'doubled';

class Row {
  last = 0;
  /** What was passed over, and behind which step. */
  readonly open = new Map<number, number>();

  take(number: number, step: number): Receipt {
    if (number <= this.last) return this.open.delete(number) ? 'reordered' : 'doubled';
    for (let between = this.last + 1; between < number; between += 1) this.open.set(between, step);
    this.last = number;
    return 'next';
  }
}

/** Of an id, from a sender: how many were sent. */
export interface Mark {
  readonly from: string;
  readonly to: string;
  readonly count: number;
}

export class Ledger {
  readonly #rows = new Map<string, Row>();

  /** @param step behind which it comes */
  take(from: string, to: string, number: number, step: number): Receipt {
    return this.#row(from, to).take(number, step);
  }

  /** Whether it is as far, whatever it missed on its way. */
  reached({ from, to, count }: Mark): boolean {
    return this.#row(from, to).last >= count;
  }

  /** @returns the numbers that never came, each with the step behind which a later one did, if any */
  missing({ from, to, count }: Mark): (readonly [number: number, step: number | undefined])[] {
    const { last, open } = this.#row(from, to);
    const behind = Array.from(
      { length: Math.max(0, count - last) },
      (_, n) => [last + 1 + n, undefined] as const,
    );
    return [...[...open].filter(([number]) => number <= count), ...behind];
  }

  /** How many never came though later ones did: all that is known of a sender who cannot tell how many he sent. */
  open(from: string): number {
    let count = 0;
    for (const [key, { open }] of this.#rows) if (key.startsWith(`${from} `)) count += open.size;
    return count;
  }

  #row(from: string, to: string): Row {
    const key = `${from} ${to}`;
    let row = this.#rows.get(key);
    if (row === undefined) {
      row = new Row();
      this.#rows.set(key, row);
    }
    return row;
  }
}
