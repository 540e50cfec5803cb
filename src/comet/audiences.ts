/**
 * All ids that somebody follows here, and those whose last page went a moment ago: a page that is reloaded, or polls, costs the routers
 * nothing.
 */

import { Audience, ENDED, LISTENED } from './audience.js';
import { OWN } from './origins.js';
import type { Ring } from './ring.js';

/** Who tells the routers. */
export interface Roll {
  login(audience: Audience): void;
  logout(audience: Audience): void;
}

const LOGOUT_DELAY = 10;
/** Of those whose last page went: beyond it those that wait longest go at once, for anybody may ask for ids that nobody has. */
const MAX_LEFT = 10_000;

export class Audiences {
  readonly #ring: Ring;
  readonly #roll: Roll;
  readonly #byId = new Map<string, Audience>();
  /** In the order in which their last pages went. */
  readonly #left = new Set<Audience>();
  #now = 0;
  /** There is no router, and none is to be waited for: this gateway is the origin of all that is sent. */
  isAlone = false;

  constructor(ring: Ring, roll: Roll) {
    this.#ring = ring;
    this.#roll = roll;
  }

  get size(): number {
    return this.#byId.size;
  }

  find(id: string): Audience | undefined {
    return this.#byId.get(id);
  }

  /** Also those that come while it goes on. */
  all(): IterableIterator<Audience> {
    return this.#byId.values();
  }

  /** For a page that comes. */
  enter(id: string): Audience {
    const known = this.#byId.get(id);
    if (known !== undefined) {
      if (known.leftAt >= 0) this.#left.delete(known);
      known.leftAt = LISTENED;
      return known;
    }
    const audience = new Audience(id);
    this.#byId.set(id, audience);
    if (this.isAlone || this.#ring.number(id) !== undefined) this.begin(audience);
    this.#roll.login(audience);
    return audience;
  }

  /** Its last page has left. */
  leave(audience: Audience): void {
    audience.leftAt = this.#now;
    this.#left.add(audience);
    if (this.#left.size <= MAX_LEFT) return;
    for (const first of this.#left) {
      this.#end(first);
      return;
    }
  }

  /** This gateway is an origin of it: its messages have numbers from here on. */
  begin(audience: Audience): number {
    const known = audience.last(OWN);
    if (known !== undefined) return known;
    const number = this.#ring.number(audience.id) ?? this.#ring.begin();
    audience.setLast(OWN, number);
    return number;
  }

  /** Whatever that origin gives out from now on is new, though its numbers are smaller. */
  setBack(origin: number): void {
    for (const audience of this.#byId.values()) {
      if (audience.last(origin) !== undefined) audience.setLast(origin, 0);
      for (const hole of audience.rare?.holes ?? []) {
        if (hole.origin.index !== origin) continue;
        hole.upTo = 0;
        hole.waiting = [];
      }
    }
  }

  tick(now: number): void {
    this.#now = now;
    for (const audience of this.#left) {
      if (audience.leftAt + LOGOUT_DELAY > now) return;
      this.#end(audience);
    }
  }

  #end(audience: Audience): void {
    audience.leftAt = ENDED;
    this.#left.delete(audience);
    this.#byId.delete(audience.id);
    const own = audience.last(OWN);
    if (own !== undefined) this.#ring.linger(audience.id, own);
    this.#roll.logout(audience);
  }
}
