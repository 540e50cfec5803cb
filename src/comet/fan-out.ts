/**
 * One event, to all who follow an id: encoded once for each form, and written to some hundred pages a turn. Meanwhile the id is ahead of
 * those whose turn has not come (`seenBy`), and further events wait behind it.
 */

import type { Counters } from '../observe/counters.js';
import { type Audience, type Following, lastOf, type SharedBytes, seenBy } from './audience.js';
import { behindOf } from './behind.js';
import { gapBytes, messageBytes } from './forms.js';
import { alone, type Content, type Message } from './message.js';
import type { Origin, Origins } from './origins.js';
import { placeOf, placeOfAudience } from './places.js';
import type { Form } from './ports.js';
import { TURN, type Turns } from './turns.js';

/** Of events that wait for one id: with few pages as many as one request may publish. */
const MAX_JOBS = 1024;
const MAX_BYTES = 4 * 1024 * 1024;
/** To pages of all ids, in what one turn of the event loop receives: what comes beyond it waits, as for an id with many pages. */
const MAX_AT_ONCE = 10 * TURN;

/** What becomes of pages that do not have just what the id has. */
export interface Stragglers {
  /** A message comes to one that is behind, or ahead. */
  came(following: Following, origin: Origin, message: Message): void;
  /** The id goes on at this number, with something missing. */
  skipped(following: Following, origin: Origin): void;
}

export class FanOut {
  readonly #origins: Origins;
  readonly #turns: Turns;
  readonly #counters: Counters;
  /** The turn, and how many pages were written to in it. */
  #turn = 0;
  #atOnce = 0;
  #stragglers: Stragglers = { came: () => {}, skipped: () => {} };

  constructor(origins: Origins, turns: Turns, counters: Counters) {
    this.#origins = origins;
    this.#turns = turns;
    this.#counters = counters;
  }

  set stragglers(stragglers: Stragglers) {
    this.#stragglers = stragglers;
  }

  /** The next message of an origin. `false`: too much waits, and nothing has changed. */
  message(audience: Audience, origin: Origin, message: Message, arrived: number): boolean {
    const { number, content } = message;
    if (!this.#isSliced(audience, arrived)) {
      audience.setLast(origin.index, number);
      // Pages that wait for something else keep it.
      const kept = audience.behind > 0 ? { number, content: alone(content) } : message;
      if (audience.followings.length > 0) this.#go(audience, origin, kept, arrived);
      return true;
    }
    const { jobs, queuedBytes } = audience.makeRare();
    if (jobs.length >= MAX_JOBS || (jobs.length > 0 && queuedBytes + content.size > MAX_BYTES)) return false;
    this.#queue(audience, origin, { number, content: alone(content) }, number, arrived);
    return true;
  }

  /** All who have what the id has missed something: it goes on behind this number. */
  gap(audience: Audience, origin: Origin, number: number, arrived: number): void {
    if (this.#isSliced(audience, arrived)) {
      this.#queue(audience, origin, undefined, number, arrived);
      return;
    }
    audience.setLast(origin.index, number);
    this.#go(audience, origin, undefined, arrived);
  }

  /** To one page. */
  write(following: Following, content: Content): void {
    const { listener, audience } = following;
    if (content.isVoid) return;
    const place = placeOf(listener, this.#origins);
    this.#counters.comet.deliveries += 1;
    listener.page.write(messageBytes(listener.page.form, audience.id, place, content));
  }

  gapOf({ listener, audience }: Following): void {
    this.#counters.comet.gaps += 1;
    const bytes = gapBytes(listener.page.form, audience.id, placeOf(listener, this.#origins));
    if (bytes !== undefined) listener.page.write(bytes);
  }

  /** It goes; while others are written to its entry stays, empty. */
  leave(following: Following): void {
    const { audience, index } = following;
    const { followings } = audience;
    following.index = -1;
    if (following.behind !== undefined) audience.behind -= 1;
    if (audience.writing > 0 || (audience.rare?.jobs.length ?? 0) > 0) {
      followings[index] = undefined;
      audience.vacant += 1;
      return;
    }
    const last = followings.pop();
    if (last === undefined || last === following) return;
    followings[index] = last;
    last.index = index;
  }

  /** @param now of the turn clock, which stands still in a turn */
  #isSliced({ followings, rare }: Audience, now: number): boolean {
    if (followings.length > TURN || (rare?.jobs.length ?? 0) > 0) return true;
    if (now !== this.#turn) {
      this.#turn = now;
      this.#atOnce = 0;
    }
    this.#atOnce += followings.length;
    return this.#atOnce > MAX_AT_ONCE && followings.length > 0;
  }

  #go(audience: Audience, origin: Origin, message: Message | undefined, arrived: number): void {
    const { followings } = audience;
    // One page needs nothing that is shared.
    const shared = followings.length > 1 ? this.#share(audience, message) : undefined;
    const count = followings.length;
    audience.writing += 1;
    for (let at = 0; at < count; at += 1) {
      const following = followings[at];
      if (following !== undefined) this.#give(following, origin, message, shared);
    }
    audience.writing -= 1;
    this.#compact(audience);
    if (message !== undefined) this.#counters.comet.fanout.observe(this.#counters.clock.since(arrived));
  }

  #queue(
    audience: Audience,
    origin: Origin,
    message: Message | undefined,
    number: number,
    arrived: number,
  ): void {
    const rare = audience.makeRare();
    const before = audience.lasts;
    audience.lasts = before.slice();
    audience.setLast(origin.index, number);
    const bytes = message?.content.size ?? 0;
    const shared = this.#share(audience, message);
    const { length: count } = audience.followings;
    rare.queuedBytes += bytes;
    rare.jobs.push({ origin, message, before, shared, bytes, next: 0, count, arrived });
    if (rare.jobs.length === 1) this.#turns.add((most) => this.#some(audience, most));
  }

  #some(audience: Audience, most: number): number {
    const rare = audience.makeRare();
    let left = most;
    for (let job = rare.jobs[0]; job !== undefined && left > 0; job = rare.jobs[0]) {
      for (; job.next < job.count && left > 0; left -= 1) {
        const following = audience.followings[job.next];
        // From here on it has this event, which its place says.
        job.next += 1;
        if (following !== undefined) this.#give(following, job.origin, job.message, job.shared);
      }
      if (job.next < job.count) break;
      rare.jobs.shift();
      rare.queuedBytes -= job.bytes;
      if (job.message !== undefined)
        this.#counters.comet.fanout.observe(this.#counters.clock.since(job.arrived));
    }
    if (rare.jobs.length > 0) return most;
    this.#compact(audience);
    audience.dropRare();
    // An id without more to do is done, whatever is left of the turn.
    return Math.min(most - left, most - 1);
  }

  #give(
    following: Following,
    origin: Origin,
    message: Message | undefined,
    shared: SharedBytes | undefined,
  ): void {
    const { listener, behind } = following;
    // Its place will be behind it.
    if (!listener.hasBegun) return;
    if (behind !== undefined && behindOf(following, origin.tag) !== undefined) {
      if (message === undefined) this.#stragglers.skipped(following, origin);
      else this.#stragglers.came(following, origin, message);
    } else if (shared === undefined || behind !== undefined || Array.isArray(listener.followings)) {
      if (message === undefined) this.gapOf(following);
      else this.write(following, message.content);
    } else if (message?.content.isVoid !== true) {
      const bytes = shared.of(listener.page.form);
      if (message === undefined) this.#counters.comet.gaps += 1;
      else this.#counters.comet.deliveries += 1;
      if (bytes !== undefined) listener.page.write(bytes);
    }
  }

  #share(audience: Audience, message: Message | undefined): SharedBytes {
    const place = placeOfAudience(audience, this.#origins);
    if (message === undefined) return new Shared((form) => gapBytes(form, audience.id, place));
    return new Shared((form) => messageBytes(form, audience.id, place, message.content));
  }

  #compact(audience: Audience): void {
    if (audience.vacant === 0 || audience.writing > 0 || (audience.rare?.jobs.length ?? 0) > 0) return;
    audience.vacant = 0;
    audience.followings = audience.followings.filter((each) => each !== undefined);
    for (const [index, each] of audience.followings.entries()) if (each !== undefined) each.index = index;
  }
}

class Shared implements SharedBytes {
  readonly #encode: (form: Form) => Buffer | undefined;
  readonly #bytes = new Map<Form, Buffer | undefined>();

  constructor(encode: (form: Form) => Buffer | undefined) {
    this.#encode = encode;
  }

  of(form: Form): Buffer | undefined {
    let bytes = this.#bytes.get(form);
    if (bytes === undefined) {
      bytes = this.#encode(form);
      this.#bytes.set(form, bytes);
    }
    return bytes;
  }
}

/** The number of the last message that this page was written, of one origin. */
export const seenLast = (following: Following, origin: Origin): number | undefined =>
  lastOf(seenBy(following), origin.index) ?? following.audience.last(origin.index);
