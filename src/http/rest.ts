/**
 * What was read behind a request of a client that does not wait for answers: of one chunk at most, as the wire is
 * paused until it is read. It counts as a request that is coming in, and where those take too much, its connection goes.
 */

import type { Front } from './front.js';
import type { Slow } from './receiving.js';
import type { Waiting } from './turns.js';
import type { Wire } from './wire.js';

/** What node:net reads at once, or what TLS makes of that: no rest is larger, with what the paused wire may hold. */
export const REST_BYTES = 64 * 1024;
const NOTHING = Buffer.alloc(0);

export interface Reader {
  /** Reads one request, or what is there of it. @returns the offset behind that */
  read(bytes: Buffer, start: number): number;
  destroy(): void;
}

export class Rest implements Slow, Waiting {
  bytes = 0;
  older: Slow | undefined = undefined;
  newer: Slow | undefined = undefined;
  readonly #reader: Reader;
  readonly #wire: Wire;
  readonly #front: Front;
  /** `undefined` when it is over. */
  #buffer: Buffer | undefined;
  /** What is in front was read. */
  #at: number;

  constructor(reader: Reader, wire: Wire, front: Front, buffer: Buffer, at: number) {
    this.#reader = reader;
    this.#wire = wire;
    this.#front = front;
    this.#buffer = buffer;
    this.#at = at;
    wire.pause();
    front.turns.wait(this);
    front.receiving.hold(this, REST_BYTES);
  }

  get isOver(): boolean {
    return this.#buffer === undefined;
  }

  takeTurn(): void {
    if (this.#buffer === undefined) return;
    if (this.#wire.writableLength > 0) {
      // Called behind all that was written, when the kernel has taken it.
      this.#wire.write(NOTHING, () => this.#front.turns.wait(this));
      return;
    }
    this.#at = this.#reader.read(this.#buffer, this.#at);
    // What was read may have been the last request.
    if (this.#buffer === undefined) return;
    if (this.#at < this.#buffer.length) this.#front.turns.wait(this);
    else this.end();
  }

  /** It was read, or is not going to be. */
  end(): void {
    if (this.#buffer === undefined) return;
    this.#buffer = undefined;
    this.#front.turns.leave(this);
    this.#front.receiving.release(this);
    this.#wire.resume();
  }

  refuse(): void {
    this.#reader.destroy();
  }
}
