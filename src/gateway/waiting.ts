/**
 * Requests that wait for their node: for its return, or until it takes more. Each node has its queue, in order of
 * arrival (`ClusterNode.waiting`); one limit counts for all.
 */

import type { ClusterNode } from './cluster.js';

/** What a request costs beside its body. With it the limit in bytes bounds their number, too. */
const OVERHEAD = 512;

export class WaitingRequests {
  readonly #maxBytes: number;
  #bytes = 0;

  constructor(maxBytes: number) {
    this.#maxBytes = maxBytes;
  }

  /** `false`: there is no room. The body is copied: as a view it could keep far more alive than itself. */
  add({ waiting }: ClusterNode, slot: number, body: Buffer): boolean {
    const cost = body.length + OVERHEAD;
    if (this.#bytes + cost > this.#maxBytes) return false;
    const copy = Buffer.allocUnsafeSlow(body.length);
    copy.set(body);
    waiting.set(slot, copy);
    this.#bytes += cost;
    return true;
  }

  /** The body of that request, which waits no longer; `undefined` where it did not. */
  take({ waiting }: ClusterNode, slot: number): Buffer | undefined {
    const body = waiting.get(slot);
    if (body === undefined) return undefined;
    waiting.delete(slot);
    this.#bytes -= body.length + OVERHEAD;
    return body;
  }
}
