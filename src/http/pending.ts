/** Requests of one connection whose answers are not written, in the order in which they came (RFC 9112 §9.3.2). */

import type { BoshService } from './front.js';
import type { PendingResponse } from './pending-response.js';
import type { Wire } from './wire.js';

/** BOSH needs two (XEP-0124 §11: `requests` is hold + 1). */
const MAX_PIPELINED = 8;

export class Pending {
  #first: PendingResponse | undefined = undefined;
  #last: PendingResponse | undefined = undefined;
  #size = 0;

  get first(): PendingResponse | undefined {
    return this.#first;
  }

  get size(): number {
    return this.#size;
  }

  get isFull(): boolean {
    return this.#size >= MAX_PIPELINED;
  }

  add(due: PendingResponse): void {
    if (this.#last === undefined) this.#first = due;
    else this.#last.next = due;
    this.#last = due;
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

  /** The last of them is its connection's last one. @returns whether there is any */
  markLast(): boolean {
    if (this.#last !== undefined) this.#last.isLast = true;
    return this.#last !== undefined;
  }

  /** They are not to be held any longer. */
  release(service: Pick<BoshService, 'release'>): void {
    for (let due = this.#first; due !== undefined; due = due.next) {
      if (due.handle !== 0) service.release(due.handle);
    }
  }

  /** Nobody is there any more to hear them. */
  abandon(service: Pick<BoshService, 'closed'>): void {
    for (let due = this.#first; due !== undefined; due = due.next) {
      if (due.handle !== 0) service.closed(due.handle);
      due.handle = 0;
    }
  }

  #shift(): PendingResponse | undefined {
    const first = this.#first;
    if (first === undefined || !first.isAnswered) return undefined;
    this.#first = first.next;
    if (this.#first === undefined) this.#last = undefined;
    this.#size -= 1;
    return first;
  }
}
