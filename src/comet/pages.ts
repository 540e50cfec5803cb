/** Pages begin to listen, and leave; each is told its place, once all routers have said where its ids stand. */

import type { Counters } from '../observe/counters.js';
import { type Audience, Following, followingsOf, type Host, Listener } from './audience.js';
import type { Audiences } from './audiences.js';
import type { CatchingUp } from './catching-up.js';
import type { FanOut } from './fan-out.js';
import { placeBytes } from './forms.js';
import { Later } from './later.js';
import type { Origins } from './origins.js';
import { type Mark, readPlace } from './place.js';
import { placeOf } from './places.js';
import type { CometService, Listening, Page } from './ports.js';

/** So long, or twice, a new page waits for its place; a router that has not said anything by then is not in it. */
const OPENING_MS = 500;

/** Marks of a place: two nodes that are away, for 32 ids. */
const MAX_STRANGE = 64;

export class Pages implements CometService, Host {
  readonly #origins: Origins;
  readonly #audiences: Audiences;
  readonly #fanOut: FanOut;
  readonly #catchingUp: CatchingUp;
  readonly #counters: Counters;
  readonly #late = new Later<Listener>(OPENING_MS, (listener) => this.#begin(listener));

  constructor(
    origins: Origins,
    audiences: Audiences,
    fanOut: FanOut,
    catchingUp: CatchingUp,
    counters: Counters,
  ) {
    this.#origins = origins;
    this.#audiences = audiences;
    this.#fanOut = fanOut;
    this.#catchingUp = catchingUp;
    this.#counters = counters;
  }

  stop(): void {
    this.#late.stop();
  }

  listen(page: Page, ids: readonly string[], place: string | undefined): Listening {
    const { comet, clock } = this.#counters;
    const isStream = page.form === 'chunked' || page.form === 'raw';
    const isNew = place === undefined || place === '' || isStream;
    const marks = isNew ? undefined : this.#known(readPlace(place, ids.length));
    const came = marks !== undefined ? 'back' : isNew ? 'new' : 'lost';
    const listener = new Listener(page, this, came, clock.now);
    const followings = ids.map((id) => this.#follow(listener, this.#audiences.enter(id)));
    listener.followings = followings.length === 1 ? (followings[0] as Following) : followings;
    comet.listeners[page.form] += 1;
    comet.opened[page.form] += 1;
    if (marks !== undefined) this.#resume(listener, followings, marks);
    // It has no place to wait for.
    else if (isStream) this.#begin(listener);
    else if (!this.#open(listener)) this.#late.add(listener);
    return listener;
  }

  beat(listener: Listener): void {
    if (listener.hasBegun && listener.page.form !== 'poll') this.#writePlace(listener);
  }

  leave(listener: Listener): void {
    const followings = followingsOf(listener);
    if (followings.every(({ index }) => index < 0)) return;
    this.#counters.comet.listeners[listener.page.form] -= 1;
    for (const following of followings) {
      const { audience } = following;
      this.#fanOut.leave(following);
      if (audience.size > 0) continue;
      if (audience.rare !== undefined) audience.rare.opening = [];
      this.#audiences.leave(audience);
    }
  }

  /** An origin has said where this id stands: some pages may wait for no more than that. */
  told(audience: Audience): void {
    const { rare } = audience;
    if (rare === undefined || rare.opening.length === 0) return;
    const waiting = rare.opening;
    rare.opening = [];
    audience.dropRare();
    for (const listener of waiting) this.#open(listener);
  }

  /** There is no router, and there was none: whatever came of one is nowhere any more. */
  forgetAll(audience: Audience): void {
    if (audience.behind === 0) return;
    for (const following of audience.followings.slice())
      if (following !== undefined && following.index >= 0) this.#catchingUp.forget(following);
  }

  /** A place with many marks of origins that nobody knows is none of ours: each of them would be kept, and written with each event. */
  #known(place: readonly (readonly Mark[])[] | undefined): readonly (readonly Mark[])[] | undefined {
    let strange = 0;
    for (const marks of place ?? [])
      for (const { tag } of marks) if (this.#origins.byTag(tag) === undefined) strange += 1;
    return strange > MAX_STRANGE ? undefined : place;
  }

  #follow(listener: Listener, audience: Audience): Following {
    const following = new Following(listener, audience);
    following.index = audience.followings.length;
    if (following.index === 0) audience.followings = [following];
    else audience.followings.push(following);
    return following;
  }

  #resume(listener: Listener, followings: readonly Following[], marks: readonly (readonly Mark[])[]): void {
    const own = this.#origins.own.tag;
    // All numbers before anything is written: a place is whole at each event.
    for (const [index, following] of followings.entries()) {
      const its = marks[index] ?? [];
      if (its.some(({ tag }) => tag === own)) this.#audiences.begin(following.audience);
      this.#catchingUp.note(following, its);
    }
    this.#begin(listener);
    for (const following of followings) {
      if (this.#audiences.isAlone) this.#catchingUp.forget(following);
      this.#catchingUp.join(following);
    }
  }

  /** `false`: it waits for a router. */
  #open(listener: Listener): boolean {
    const unknown = followingsOf(listener).find(({ audience }) => !this.#isKnown(audience));
    if (unknown === undefined) {
      this.#begin(listener);
      return true;
    }
    const rare = unknown.audience.makeRare();
    // Those that waited in vain, and those that left meanwhile, are among them.
    if (rare.opening.length > 2 * unknown.audience.size) rare.opening = rare.opening.filter(isWaiting);
    rare.opening.push(listener);
    return false;
  }

  /** Whether all that can say where it stands have done so. */
  #isKnown(audience: Audience): boolean {
    return this.#origins.welcome.every(({ index }) => audience.last(index) !== undefined);
  }

  #begin(listener: Listener): void {
    if (!isWaiting(listener)) return;
    listener.hasBegun = true;
    this.#counters.comet.opening.observe(this.#counters.clock.since(listener.since));
    if (listener.came === 'lost')
      for (const following of followingsOf(listener)) this.#fanOut.gapOf(following);
    // A poll with a place waits for something to happen.
    else if (listener.page.form !== 'poll' || listener.came === 'new') this.#writePlace(listener);
  }

  #writePlace(listener: Listener): void {
    const { page } = listener;
    const bytes = placeBytes(page.form, placeOf(listener, this.#origins));
    if (bytes !== undefined) page.write(bytes);
  }
}

/** It is there, and has not begun. */
const isWaiting = (listener: Listener): boolean =>
  !listener.hasBegun && followingsOf(listener).every(({ index }) => index >= 0);
