/**
 * What was read behind a request, for the next turn of its connection: of one chunk at most, as the socket is paused
 * while there is a rest. It counts as a request that is coming in, and where those take too much, its connection goes.
 */

import type { Slow } from './receiving.js';

/** What node:net reads at once, or what TLS makes of that: no rest is larger, with what the paused socket may hold. */
export const REST_BYTES = 64 * 1024;

export class Rest implements Slow {
  readonly buffer: Buffer;
  /** What is in front was read. */
  at: number;
  bytes = 0;
  older: Slow | undefined = undefined;
  newer: Slow | undefined = undefined;
  readonly #connection: { destroy(): void };

  constructor(connection: { destroy(): void }, buffer: Buffer, at: number) {
    this.#connection = connection;
    this.buffer = buffer;
    this.at = at;
  }

  get isRead(): boolean {
    return this.at >= this.buffer.length;
  }

  refuse(): void {
    this.#connection.destroy();
  }
}
