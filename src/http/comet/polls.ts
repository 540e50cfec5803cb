/**
 * All pages that poll. To the connections they are exchanges like those of the gateway: of one and the same service, where a handle below 0 is
 * a poll's.
 */

import type { HttpExchange } from '../../gateway/ports.js';
import type { BoshService } from '../front.js';
import type { Asked } from './asked.js';
import type { CometFront } from './comet-front.js';
import { Poll } from './poll.js';

export class Polls {
  readonly #comet: Omit<CometFront, 'polls'>;
  readonly #polls = new Map<number, Poll>();
  #last = 0;

  constructor(comet: Omit<CometFront, 'polls'>) {
    this.#comet = comet;
  }

  /** @returns its handle */
  open(exchange: HttpExchange, asked: Asked): number {
    this.#last -= 1;
    const handle = this.#last;
    const poll = new Poll(exchange, this.#comet, asked, () => this.#polls.delete(handle));
    this.#polls.set(handle, poll);
    poll.begin();
    return handle;
  }

  closed(handle: number): void {
    this.#polls.get(handle)?.left();
  }

  release(handle: number): void {
    // By then the connection knows whether that answer is its last one.
    queueMicrotask(() => this.#polls.get(handle)?.release());
  }

  expire(now: number): void {
    for (const poll of this.#polls.values()) poll.expire(now);
  }

  /** Both the gateway's exchanges and these. */
  beside(gateway: BoshService): BoshService {
    return {
      request: (exchange, request) => gateway.request(exchange, request),
      closed: (handle) => (handle < 0 ? this.closed(handle) : gateway.closed(handle)),
      release: (handle) => (handle < 0 ? this.release(handle) : gateway.release(handle)),
    };
  }
}
