/**
 * Who may be connected where not all can. At the maximum, one who waits for no answer makes room for one who comes: it was
 * opened ahead, or lies idle, or its request does not come to an end, and can be opened again. The one goes first who has been
 * so for longest. Those whose requests are held stay. Each step costs the same, however many there are.
 */

import { type Member, Queue } from './queue.js';

export interface Guest extends Member<Guest> {
  /** Since when no finished request of it is held, in seconds: `Room`'s own. */
  freeSince: number;
  destroy(): void;
}

/** Seconds before one makes room: a request on its way, or a quick one, has long come in by then. */
const GRACE = 2;

export class Room<G extends Guest> {
  /** All that are connected. */
  readonly guests = new Set<G>();
  /** Those of whom no finished request is held, the longest first. */
  readonly #free = new Queue<Guest>();
  /** Those who came in vain and are told so, the longest first. */
  readonly #refused = new Set<Guest>();
  readonly #max: number;
  readonly #maxRefused: number;

  constructor(max: number, maxRefused: number) {
    this.#max = max;
    this.#maxRefused = maxRefused;
  }

  get isFull(): boolean {
    return this.guests.size - this.#refused.size >= this.#max;
  }

  /**
   * @param now seconds of a clock that never runs backwards
   * @returns whether it is served; if not, there is room for it to hear so
   */
  enter(guest: G, now: number): boolean {
    const isServed = !this.isFull || this.#makeRoom(now);
    this.guests.add(guest);
    if (isServed) this.#append(guest, now);
    else this.#refuse(guest);
    return isServed;
  }

  /** It is not served, though there may be room: it hears so. */
  refuse(guest: G): void {
    this.guests.add(guest);
    this.#refuse(guest);
  }

  /** It waits for an answer from now on. */
  hold(guest: Guest): void {
    this.#free.remove(guest);
  }

  /** It waits for no answer from now on. */
  free(guest: Guest, now: number): void {
    if (!this.#refused.has(guest)) this.#append(guest, now);
  }

  /** Its request begins, and may not come to an end. */
  begin(guest: Guest, now: number): void {
    if (this.#free.has(guest)) this.#append(guest, now);
  }

  /** It takes the place of one that left, and waits for an answer as long as it is there. */
  succeed(guest: G): void {
    this.guests.add(guest);
  }

  leave(guest: Guest): void {
    this.guests.delete(guest as G);
    this.#free.remove(guest);
    this.#refused.delete(guest);
  }

  #append(guest: Guest, now: number): void {
    guest.freeSince = now;
    this.#free.append(guest);
  }

  #makeRoom(now: number): boolean {
    const longest = this.#free.oldest;
    if (longest === undefined || longest.freeSince + GRACE > now) return false;
    this.#remove(longest);
    return true;
  }

  #refuse(guest: Guest): void {
    this.#refused.add(guest);
    if (this.#refused.size <= this.#maxRefused) return;
    for (const longest of this.#refused) {
      this.#remove(longest);
      return;
    }
  }

  #remove(guest: Guest): void {
    this.leave(guest);
    guest.destroy();
  }
}
