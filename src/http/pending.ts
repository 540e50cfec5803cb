/** Requests of one connection whose answers are not written, in the order in which they came (RFC 9112 §9.3.2). */

import type { Exchange } from './exchange.js';
import type { Wire } from './wire.js';

/** BOSH needs two (XEP-0124 §11: `requests` is hold + 1). */
const MAX_PIPELINED = 8;

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

  get isFull(): boolean {
    return this.#size >= MAX_PIPELINED;
  }

  add(exchange: Exchange): void {
    if (this.#last === undefined) this.#first = exchange;
    else this.#last.next = exchange;
    this.#last = exchange;
    this.#size += 1;
  }

  /** Writes what is answered and has nothing unanswered before it. @returns whether that was all there will ever be */
  write(wire: Wire, keepAliveLines: string): boolean {
    let isOver = false;
    for (let next = this.#shift(); next !== undefined; next = this.#shift()) {
      wire.write(next.encode(keepAliveLines));
      isOver = next.isLast;
    }
    return isOver;
  }

  #shift(): Exchange | undefined {
    const first = this.#first;
    if (first === undefined || !first.isAnswered) return undefined;
    this.#first = first.next;
    if (this.#first === undefined) this.#last = undefined;
    this.#size -= 1;
    return first;
  }
}
