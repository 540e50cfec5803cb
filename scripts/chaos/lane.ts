/**
 * One direction of a relayed connection. What it does to the bytes:
 *
 *   pass    on they go
 *   delay   on they go, each after so many milliseconds, in their order
 *   hold    nobody reads them: to the sender it is as if packets were lost, and sent again later
 *   drop    they are read and thrown away, so that the connection has to be cut when that ends
 */

import type { Socket } from 'node:net';

export type Treatment =
  | { readonly kind: 'pass' | 'hold' | 'drop' }
  | { readonly kind: 'delay'; readonly ms: number };

export const PASS: Treatment = { kind: 'pass' };

export class Lane {
  /** Bytes that were thrown away. */
  dropped = 0;
  readonly #from: Socket;
  readonly #to: Socket;
  #treatment: Treatment;
  readonly #late: { readonly due: number; readonly chunk: Buffer }[] = [];

  constructor(from: Socket, to: Socket, treatment: Treatment) {
    this.#from = from;
    this.#to = to;
    this.#treatment = treatment;
    from.on('data', (chunk: Buffer) => this.#take(chunk));
    to.on('drain', () => this.#flow());
    this.#flow();
  }

  /** Nothing that was thrown away can be made up for: such a connection is cut. */
  treat(treatment: Treatment): void {
    this.#treatment = treatment;
    if (this.dropped > 0 && treatment.kind !== 'drop') this.#from.resetAndDestroy();
    this.#flow();
  }

  #take(chunk: Buffer): void {
    const now = performance.now();
    const { kind } = this.#treatment;
    if (kind === 'drop') {
      this.dropped += chunk.length;
      return;
    }
    const due = kind === 'delay' ? now + (this.#treatment as { ms: number }).ms : now;
    this.#late.push({ due, chunk });
    if (this.#late.length === 1) this.#send();
  }

  /** Those that are due, in their order; the next when it is. */
  #send(): void {
    const now = performance.now();
    for (let next = this.#late[0]; next !== undefined; next = this.#late[0]) {
      if (next.due > now) {
        setTimeout(() => this.#send(), next.due - now);
        return;
      }
      this.#late.shift();
      if (!this.#to.destroyed && !this.#to.write(next.chunk)) this.#from.pause();
    }
  }

  #flow(): void {
    if (this.#treatment.kind === 'hold' || this.#to.writableNeedDrain) this.#from.pause();
    else this.#from.resume();
  }
}
