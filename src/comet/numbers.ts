/**
 * The numbers of an id and origin: what comes is given out in their order, each once. What is ahead of a hole waits, and unless the hole
 * closes by itself, what is missing is asked for.
 *
 *   number               before the first `at`    behind it
 *   not larger than last –                        a double
 *   last + 1             –                        given out, and what waited behind it
 *   larger               waits                    waits
 */

import type { Counters } from '../observe/counters.js';
import { type Answer, type Asks, walk } from './asks.js';
import type { Audience, Hole } from './audience.js';
import type { FanOut } from './fan-out.js';
import { Later } from './later.js';
import { alone, type Message } from './message.js';
import { type Origin, OWN } from './origins.js';
import type { Ring } from './ring.js';

/** Ahead of a hole, of one id and origin. */
const MAX_WAITING = 8;
/** So long, or twice, a hole may close by itself. */
const PATIENCE_MS = 100;

export class Numbers {
  readonly #fanOut: FanOut;
  readonly #asks: Asks;
  readonly #ring: Ring;
  readonly #counters: Counters;
  readonly #later = new Later<Hole>(PATIENCE_MS, (hole) => this.#due(hole));

  constructor(fanOut: FanOut, asks: Asks, ring: Ring, counters: Counters) {
    this.#fanOut = fanOut;
    this.#asks = asks;
    this.#ring = ring;
    this.#counters = counters;
  }

  stop(): void {
    this.#later.stop();
  }

  came(audience: Audience, origin: Origin, message: Message): void {
    const last = audience.last(origin.index);
    if (last !== undefined && message.number <= last) {
      this.#counters.comet.dropped.double += 1;
    } else if (last === undefined || message.number > last + 1) {
      this.#wait(audience, origin, message);
    } else {
      this.#pass(audience, origin, message);
      if (audience.rare !== undefined) this.#goOn(audience, origin);
    }
  }

  /**
   * An origin says where the id stands. What waited for that goes out with `heard`, behind what pages are asked for because of it.
   * @returns whether it is the first time
   */
  at(audience: Audience, origin: Origin, number: number): boolean {
    const last = audience.last(origin.index);
    if (last === undefined) audience.setLast(origin.index, number);
    else if (number > last) tear(this.#hole(audience, origin), number);
    return last === undefined;
  }

  heard(audience: Audience, origin: Origin): void {
    const hole = holeOf(audience, origin);
    if (hole === undefined) return;
    // The link may have been another one when it was asked.
    hole.isAsked = false;
    this.#goOn(audience, origin);
    if (isTorn(hole)) this.#due(hole);
  }

  /** What all who follow the id were missing. */
  answered(audience: Audience, origin: Origin, answer: Answer): void {
    const hole = holeOf(audience, origin);
    const last = audience.last(origin.index);
    if (hole === undefined || last === undefined) return;
    hole.isAsked = false;
    walk(answer, last, {
      message: (message) => this.#pass(audience, origin, message),
      gap: (number) => this.#fanOut.gap(audience, origin, number, this.#counters.clock.now),
      skip: (number) => audience.setLast(origin.index, number),
    });
    this.#goOn(audience, origin);
  }

  #wait(audience: Audience, origin: Origin, message: Message): void {
    const hole = this.#hole(audience, origin);
    const { waiting } = hole;
    if (waiting.some(({ number }) => number === message.number)) {
      this.#counters.comet.dropped.double += 1;
      return;
    }
    const at = waiting.findIndex(({ number }) => number > message.number);
    waiting.splice(at < 0 ? waiting.length : at, 0, { ...message, content: alone(message.content) });
    if (waiting.length <= MAX_WAITING) return;
    const dropped = waiting.pop();
    if (dropped !== undefined) tear(hole, dropped.number);
    this.#counters.comet.dropped.queue += 1;
  }

  /** `false`: too much waits for the pages of this id; it is asked for later. */
  #pass(audience: Audience, origin: Origin, message: Message): boolean {
    if (this.#fanOut.message(audience, origin, message, this.#counters.clock.now)) return true;
    this.#counters.comet.dropped.queue += 1;
    tear(this.#hole(audience, origin), message.number);
    return false;
  }

  /** What waits is next, or there already. */
  #goOn(audience: Audience, origin: Origin): void {
    const hole = holeOf(audience, origin);
    if (hole === undefined) return;
    for (let first = hole.waiting[0]; first !== undefined; first = hole.waiting[0]) {
      const last = audience.last(origin.index) ?? 0;
      if (first.number > last + 1) break;
      hole.waiting.shift();
      if (first.number > last && !this.#pass(audience, origin, first)) break;
    }
    if (hole.waiting.length > 0 || isTorn(hole)) this.#later.add(hole);
    else this.#close(hole);
  }

  #hole(audience: Audience, origin: Origin): Hole {
    const known = holeOf(audience, origin);
    if (known !== undefined) return known;
    const hole: Hole = { audience, origin, waiting: [], upTo: 0, isAsked: false };
    audience.makeRare().holes.push(hole);
    if (audience.last(origin.index) !== undefined) this.#later.add(hole);
    return hole;
  }

  #due(hole: Hole): void {
    const { audience, origin } = hole;
    const last = audience.last(origin.index);
    if (holeOf(audience, origin) !== hole || hole.isAsked || last === undefined) return;
    if (hole.waiting.length === 0 && !isTorn(hole)) this.#close(hole);
    else if (origin.index === OWN) this.#askOwn(audience, origin, last);
    else if (origin.isWelcome) {
      hole.isAsked = true;
      this.#asks.add(audience, origin, last, undefined, false);
    }
  }

  #askOwn(audience: Audience, origin: Origin, last: number): void {
    const to = this.#ring.number(audience.id) ?? last;
    this.answered(audience, origin, { ...this.#ring.since(audience.id, last, to), to });
  }

  #close(hole: Hole): void {
    const { audience } = hole;
    const rare = audience.makeRare();
    rare.holes = rare.holes.filter((each) => each !== hole);
    audience.dropRare();
  }
}

function holeOf(audience: Audience, origin: Origin): Hole | undefined {
  return audience.rare?.holes.find((hole) => hole.origin === origin);
}

/** There is more, up to this number. */
function tear(hole: Hole, number: number): void {
  hole.upTo = Math.max(hole.upTo, number);
}

const isTorn = ({ audience, origin, upTo }: Hole): boolean => upTo > (audience.last(origin.index) ?? 0);
