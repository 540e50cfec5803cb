/**
 * Which WebSockets wait to ask, by a Ping, what their client has (docs/protocol.md, `read`): all that asked within half a
 * second are pinged once. One timer for all, and only while one waits; few are pinged in a turn of the event loop, so
 * that nothing of others waits for more than those.
 */

import { Turns, type Waiting } from './turns.js';

const TICK_MS = 500;

export class Proofs {
  readonly #later: (next: () => void) => unknown;
  readonly #turns: Turns;
  #waiting = new Set<Waiting>();

  /** @param later calls what it is given at the next tick; @param turns those in which they are pinged */
  constructor(
    later: (next: () => void) => unknown = (next) => setTimeout(next, TICK_MS).unref(),
    turns = new Turns(),
  ) {
    this.#later = later;
    this.#turns = turns;
  }

  /** Its turn comes within half a second, once; it looks then whether it still has to ask. */
  wait(socket: Waiting): void {
    if (this.#waiting.size === 0) this.#later(this.#tick);
    this.#waiting.add(socket);
  }

  /** Its turn comes soon. */
  soon(socket: Waiting): void {
    this.#turns.wait(socket);
  }

  readonly #tick = (): void => {
    const due = this.#waiting;
    this.#waiting = new Set();
    for (const socket of due) this.#turns.wait(socket);
  };
}
