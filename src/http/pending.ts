/** Requests of one connection whose answers are not written, in the order in which they came (RFC 9112 §9.3.2). */

import type { Exchange } from './exchange.js';

export class Pending {
  #first: Exchange | undefined = undefined;
  #last: Exchange | undefined = undefined;
  #size = 0;

  get first(): Exchange | undefined {
    return this.#first;
  }

  get last(): Exchange | undefined {
    return this.#last;
  }

  get size(): number {
    return this.#size;
  }

  add(exchange: Exchange): void {
    if (this.#last === undefined) this.#first = exchange;
    else this.#last.next = exchange;
    this.#last = exchange;
    this.#size += 1;
  }

  /** Takes the first one out if it has its answer. */
  shift(): Exchange | undefined {
    const first = this.#first;
    if (first === undefined || !first.isAnswered) return undefined;
    this.#first = first.next;
    if (this.#first === undefined) this.#last = undefined;
    this.#size -= 1;
    return first;
  }
}
