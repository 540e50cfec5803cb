/** When an exchange's time is over: one deadline while its node is in service, and another one while that is away. */

import { Deadlines } from './deadlines.js';
import type { Clock } from './ports.js';

export interface DeadlineLimits {
  readonly maxExchanges: number;
  /** Seconds until an exchange that nobody answers ends with 504. */
  readonly answerTimeout: number;
  /** Seconds that a request waits for its node's return. */
  readonly nodeReturnWait: number;
}

export class ExchangeDeadlines {
  readonly #clock: Clock;
  readonly #answer: Deadlines;
  readonly #return: Deadlines;

  constructor({ maxExchanges, answerTimeout, nodeReturnWait }: DeadlineLimits, clock: Clock) {
    this.#clock = clock;
    this.#answer = new Deadlines(maxExchanges, answerTimeout);
    this.#return = new Deadlines(maxExchanges, nodeReturnWait);
  }

  /** From now on it waits for an answer, and for nothing else. */
  answer(slot: number): void {
    this.remove(slot);
    this.#answer.add(slot, this.#clock.now);
  }

  /** Likewise for its node. */
  return(slot: number): void {
    this.remove(slot);
    this.#return.add(slot, this.#clock.now);
  }

  remove(slot: number): void {
    this.#answer.remove(slot);
    this.#return.remove(slot);
  }

  expire(late: (slot: number) => void, away: (slot: number) => void): void {
    takeAll(this.#answer, this.#clock.now, late);
    takeAll(this.#return, this.#clock.now, away);
  }
}

function takeAll(deadlines: Deadlines, now: number, act: (slot: number) => void): void {
  for (let slot = deadlines.takeDue(now); slot !== 0; slot = deadlines.takeDue(now)) act(slot);
}
