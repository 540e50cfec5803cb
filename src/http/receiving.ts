/**
 * What requests that are coming in take in memory, all together. Beyond the limit those that began first are refused,
 * for they are the slowest: one that comes in as fast as its network allows has long been read by then. One that came
 * in one piece is never counted.
 */

/** A request that is coming in. The fields are `Receiving`'s own. */
export interface Slow {
  bytes: number;
  older: Slow | undefined;
  newer: Slow | undefined;
  /** It has to make room, and is not counted any more. */
  refuse(): void;
}

export class Receiving {
  readonly #maxBytes: number;
  #bytes = 0;
  #oldest: Slow | undefined;
  #newest: Slow | undefined;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** It takes so many bytes now, at least one. A single one may take all there is, and more. */
  hold(request: Slow, bytes: number): void {
    if (request.bytes === 0) this.#append(request);
    this.#bytes += bytes - request.bytes;
    request.bytes = bytes;
    while (this.#bytes > this.#maxBytes && this.#oldest !== undefined && this.#oldest !== this.#newest) {
      const slowest = this.#oldest;
      this.release(slowest);
      slowest.refuse();
    }
  }

  /** It came to its end, or nobody waits for that any more. */
  release(request: Slow): void {
    if (request.bytes === 0) return;
    const { older, newer } = request;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    request.older = undefined;
    request.newer = undefined;
    this.#bytes -= request.bytes;
    request.bytes = 0;
  }

  #append(request: Slow): void {
    request.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = request;
    else this.#newest.newer = request;
    this.#newest = request;
  }
}
