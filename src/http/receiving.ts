/**
 * What requests that are coming in take in memory, all together. Beyond the limit those that began first are refused,
 * for they are the slowest: one that comes in as fast as its network allows has long been read by then. One that came
 * in one piece is never counted.
 */

import { type Member, Queue } from './queue.js';

/** A request that is coming in. */
export interface Slow extends Member<Slow> {
  /** What it takes: `Receiving`'s own, and 0 where it is not counted. */
  bytes: number;
  /** It has to make room, and is not counted any more. */
  refuse(): void;
}

export class Receiving {
  readonly #maxBytes: number;
  #bytes = 0;
  readonly #counted = new Queue<Slow>();

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** It takes so many bytes now, at least one. A single one may take all there is, and more. */
  hold(request: Slow, bytes: number): void {
    if (request.bytes === 0) this.#counted.append(request);
    this.#bytes += bytes - request.bytes;
    request.bytes = bytes;
    while (this.#bytes > this.#maxBytes) {
      const slowest = this.#counted.oldest;
      if (slowest?.newer === undefined) return;
      this.release(slowest);
      slowest.refuse();
    }
  }

  /** It came to its end, or nobody waits for that any more. */
  release(request: Slow): void {
    this.#counted.remove(request);
    this.#bytes -= request.bytes;
    request.bytes = 0;
  }
}
