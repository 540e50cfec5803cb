/**
 * Log lines that strangers can cause: the first of each kind at once, further ones as a count a minute later, so that
 * nobody fills the log from outside.
 */

import type { Logger } from 'pino';

const QUIET_MS = 60_000;

/** The rule, without clock and log. Kinds are ours and few, never made of what a stranger sent. */
export class Repeats {
  readonly #kinds = new Map<string, { quietUntil: number; untold: number }>();

  /** Something of that kind happened. @returns whether to tell it; if not, it is counted */
  tell(kind: string, now: number): boolean {
    const known = this.#kinds.get(kind);
    if (known === undefined || (now >= known.quietUntil && known.untold === 0)) {
      this.#kinds.set(kind, { quietUntil: now + QUIET_MS, untold: 0 });
      return true;
    }
    known.untold += 1;
    return false;
  }

  /** The kinds whose minute is over with something untold, and how often that happened. Their next minute begins. */
  takeDue(now: number): readonly (readonly [kind: string, count: number])[] {
    const due = [...this.#kinds].filter(([, { quietUntil, untold }]) => now >= quietUntil && untold > 0);
    for (const [kind] of due) this.#kinds.set(kind, { quietUntil: now + QUIET_MS, untold: 0 });
    return due.map(([kind, { untold }]) => [kind, untold]);
  }

  /** When the next minute with something untold is over; `undefined` where nothing is. */
  get nextDue(): number | undefined {
    const ends = [...this.#kinds.values()]
      .filter(({ untold }) => untold > 0)
      .map(({ quietUntil }) => quietUntil);
    return ends.length === 0 ? undefined : Math.min(...ends);
  }
}

export class LimitedLog {
  readonly #log: Logger;
  readonly #now: () => number;
  readonly #repeats = new Repeats();
  #timer: NodeJS.Timeout | undefined;

  /** @param now milliseconds, never running backwards */
  constructor(log: Logger, now: () => number = () => performance.now()) {
    this.#log = log;
    this.#now = now;
  }

  /**
   * @param kind names the line in the count of its repeats, such as an error's code
   * @param text called, where it is costly, only if it is told
   */
  warn(kind: string, fields: object, text: string | (() => string)): void {
    this.#tell('warn', kind, fields, text);
  }

  /** The same, as an error. */
  error(kind: string, fields: object, text: string): void {
    this.#tell('error', kind, fields, text);
  }

  #tell(level: 'warn' | 'error', kind: string, fields: object, text: string | (() => string)): void {
    const isTold = this.#repeats.tell(kind, this.#now());
    if (isTold) this.#log[level](fields, typeof text === 'string' ? text : text());
    else this.#wait();
  }

  #wait(): void {
    if (this.#timer !== undefined) return;
    const due = this.#repeats.nextDue;
    if (due === undefined) return;
    this.#timer = setTimeout(
      () => {
        this.#timer = undefined;
        this.#tellDue(this.#now());
        this.#wait();
      },
      Math.max(1, due - this.#now()),
    ).unref();
  }

  #tellDue(now: number): void {
    for (const [code, count] of this.#repeats.takeDue(now)) {
      this.#log.warn({ code, count }, `${code}: ${count} more since it was told last`);
    }
  }
}
