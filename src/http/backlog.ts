/**
 * What is kept of a WebSocket client's bytes: of a message that did not come as a whole, and, while the wire is paused,
 * what was read behind it. It counts as a request that is coming in, and is there only while something is kept.
 */

import type { Front } from './front.js';
import type { Slow } from './receiving.js';
import { REST_BYTES } from './rest.js';
import type { Waiting } from './turns.js';
import type { Wire } from './wire.js';

interface Reader {
  /** Whether what is kept can be read. */
  readonly wantsFrames: boolean;
  /** Its turn to read on has come. */
  read(bytes: Buffer): void;
  /** It has to make room for others. */
  refuseSlow(): void;
}

export class Backlog implements Slow, Waiting {
  bytes = 0;
  older: Slow | undefined = undefined;
  newer: Slow | undefined = undefined;
  /** When the message that is coming in began, or the last one before it came, in seconds of the front's clock. */
  since: number;
  /** What is to be read when its turn comes. */
  rest: Buffer | undefined = undefined;
  readonly #reader: Reader;
  readonly #wire: Wire;
  readonly #front: Front;
  #isPaused = false;

  constructor(reader: Reader, wire: Wire, front: Front) {
    this.#reader = reader;
    this.#wire = wire;
    this.#front = front;
    this.since = front.now;
  }

  /** @param isPaused where there is a rest, or nothing more is to come; @param memory of what was read, but is not whole */
  keep(rest: Buffer | undefined, isPaused: boolean, memory: number): void {
    this.rest = rest;
    if (isPaused !== this.#isPaused) {
      this.#isPaused = isPaused;
      if (isPaused) this.#wire.pause();
      else this.#wire.resume();
    }
    if (rest !== undefined && this.#reader.wantsFrames) this.#front.turns.wait(this);
    // It may itself be the one that makes room.
    this.#front.receiving.hold(this, memory + (isPaused ? REST_BYTES : 0));
  }

  takeTurn(): void {
    if (this.rest !== undefined && this.#reader.wantsFrames) this.#reader.read(this.rest);
  }

  end(): void {
    this.#front.turns.leave(this);
    this.#front.receiving.release(this);
    if (this.#isPaused) this.#wire.resume();
  }

  refuse(): void {
    this.#reader.refuseSlow();
  }
}
