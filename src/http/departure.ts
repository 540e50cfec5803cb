/**
 * How the clients of a gateway are sent elsewhere without noticing:
 *
 *   release   one after the other, over `drain_time`: what is held of them is answered now, and with that their connection ends;
 *             WebSockets are closed (1012). Whoever comes meanwhile is served, with one request for each connection
 *   keep      called off: who is left stays
 *   finish    all at once, and none is held any more; what is coming in has a second
 *   close     what is still there is refused or cut
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { Paced } from '../paced.js';
import type { Front } from './front.js';
import type { Guest } from './room.js';

/** Seconds that requests have to come in and to be answered, and then clients to close. */
const GRACE = 1;

export interface Leaver extends Guest {
  /** It is its turn to go elsewhere. */
  stop(): void;
  /** What has not come in by now is not waited for. */
  stopWaiting(): void;
}

export class Departure {
  readonly #front: Pick<Front, 'isDraining' | 'isStopping'>;
  readonly #guests: ReadonlySet<Leaver>;
  readonly #paced: Paced<Leaver>;
  #release: Promise<void> | undefined;

  /** @param guests all that are connected, at any time; @param seconds in which all have their turn */
  constructor(front: Pick<Front, 'isDraining' | 'isStopping'>, guests: ReadonlySet<Leaver>, seconds: number) {
    this.#front = front;
    this.#guests = guests;
    this.#paced = new Paced((guest) => guest.stop(), seconds);
  }

  /** Resolves when each that is there now has had its turn, or it was called off. */
  release(): Promise<void> {
    this.#front.isDraining = true;
    this.#release ??= this.#paced.add([...this.#guests]).finally(() => {
      this.#release = undefined;
    });
    return this.#release;
  }

  keep(): void {
    this.#paced.stop();
    this.#front.isDraining = false;
  }

  /** @param closed all connections are */
  async finish(closed: Promise<unknown>): Promise<void> {
    this.#paced.stop();
    this.#front.isDraining = true;
    this.#front.isStopping = true;
    for (const guest of this.#guests) guest.stop();
    await within(GRACE, closed);
  }

  async close(closed: Promise<unknown>): Promise<void> {
    for (const guest of this.#guests) guest.stopWaiting();
    await within(GRACE, closed);
    for (const guest of this.#guests) guest.destroy();
  }
}

/** Resolves with `done`, or after so many seconds. */
async function within(seconds: number, done: Promise<unknown>): Promise<void> {
  const timeUp = new AbortController();
  await Promise.race([done, sleep(1000 * seconds, undefined, { signal: timeUp.signal }).catch(() => {})]);
  timeUp.abort();
}
