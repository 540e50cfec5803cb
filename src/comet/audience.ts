/**
 * What is kept of ids and of the pages that follow them: values alone; what happens to them is elsewhere. A million ids with a
 * page each is the case to think of: one entry needs no list of its own, and what is rare has no field.
 */

import type { Message } from './message.js';
import type { Origin } from './origins.js';
import type { Listening, Page } from './ports.js';

const NOBODY: readonly Following[] = Object.freeze([]);

/** Who begins and ends what pages do. */
export interface Host {
  beat(listener: Listener): void;
  leave(listener: Listener): void;
}

/** `back`: with its place, so that whatever it lacks is asked for; `lost`: with one that says nothing here. */
export type Coming = 'new' | 'back' | 'lost';

/** A page. */
export class Listener implements Listening {
  readonly page: Page;
  readonly #host: Host;
  /** Of each id, in the order of its place: where it is one, it stands alone. */
  followings: Following | readonly Following[] = NOBODY;
  readonly came: Coming;
  /** Of the turn clock. */
  readonly since: number;
  /** Its place was written. */
  hasBegun = false;

  constructor(page: Page, host: Host, came: Coming, since: number) {
    this.page = page;
    this.#host = host;
    this.came = came;
    this.since = since;
  }

  beat(): void {
    this.#host.beat(this);
  }

  leave(): void {
    this.#host.leave(this);
  }
}

/** One page follows one id. */
export class Following {
  readonly listener: Listener;
  readonly audience: Audience;
  /** In the audience's list; -1 where it has left. */
  index = -1;
  /** Origins of which it does not have just what the id has (behind.ts). */
  behind: Behind[] | undefined = undefined;

  constructor(listener: Listener, audience: Audience) {
    this.listener = listener;
    this.audience = audience;
  }
}

/** `live` needs no entry. behind.ts has the table. */
export type Phase = 'away' | 'asked' | 'ahead';

/** Where one page stands at one origin. */
export interface Behind {
  readonly tag: string;
  phase: Phase;
  /** Of the last message that it has; 0: it has none. */
  number: number;
  /** What came for the id since it was asked for. */
  meanwhile: Message[] | undefined;
}

/** Instead of a second: there is a page; nobody knows the id any more. */
export const LISTENED = -1;
export const ENDED = -2;

/** All who follow an id. */
export class Audience {
  readonly id: string;
  /** Without an entry: it left, while others were written to. */
  followings: (Following | undefined)[] = [];
  /** Of each origin that said where the id stands its index, and the number of the last message: in a row. */
  lasts: number[] = [];
  vacant = 0;
  /** How many loops go over the followings. */
  writing = 0;
  /** The followings with an entry that is behind, or ahead. */
  behind = 0;
  /** The second at which the last one left. */
  leftAt = LISTENED;
  rare: Rare | undefined = undefined;

  constructor(id: string) {
    this.id = id;
  }

  get size(): number {
    return this.followings.length - this.vacant;
  }

  /** What waits, is asked for, or is being written; most have none of it. */
  makeRare(): Rare {
    this.rare ??= { holes: [], jobs: [], queuedBytes: 0, opening: [] };
    return this.rare;
  }

  /** Forgets it where there is nothing in it. */
  dropRare(): void {
    const { rare } = this;
    if (rare !== undefined && rare.holes.length + rare.jobs.length + rare.opening.length === 0)
      this.rare = undefined;
  }

  /** The number of the last message from that origin; `undefined`: it has not said yet. */
  last(origin: number): number | undefined {
    return lastOf(this.lasts, origin);
  }

  setLast(origin: number, number: number): void {
    const { lasts } = this;
    for (let at = 0; at < lasts.length; at += 2) {
      if (lasts[at] !== origin) continue;
      lasts[at + 1] = number;
      return;
    }
    // An array that has grown by `push` has room for a dozen more.
    this.lasts = lasts.concat([origin, number]);
  }
}

export interface Rare {
  holes: Hole[];
  /** What is being written to many pages, in order. */
  readonly jobs: Job[];
  queuedBytes: number;
  /** New pages that wait for their place. */
  opening: Listener[];
}

/** Of one origin something is missing, or may be. */
export interface Hole {
  readonly audience: Audience;
  readonly origin: Origin;
  /** What is ahead of it, by number. */
  waiting: Message[];
  /** Up to this number there is more: something was dropped, or the origin is further. To be asked for, whatever waits. */
  upTo: number;
  isAsked: boolean;
}

/** One event for all pages that followed the id when it came, some of which have it already. */
export interface Job {
  readonly origin: Origin;
  /** `undefined`: they missed something. */
  readonly message: Message | undefined;
  /** The numbers of the id before it. */
  readonly before: number[];
  readonly shared: SharedBytes;
  readonly bytes: number;
  /** Those in front of `next` have it; those from `count` on came later. */
  next: number;
  readonly count: number;
  /** Of the turn clock. */
  readonly arrived: number;
}

/** The event as bytes, once for each form. */
export interface SharedBytes {
  of(form: Page['form']): Buffer | undefined;
}

export function lastOf(lasts: readonly number[], origin: number): number | undefined {
  for (let at = 0; at < lasts.length; at += 2) if (lasts[at] === origin) return lasts[at + 1];
  return undefined;
}

/** The numbers that this page was written: while many are written to, some are behind the id itself. */
export function seenBy({ audience, index }: Following): readonly number[] {
  const jobs = audience.rare?.jobs;
  if (jobs === undefined) return audience.lasts;
  for (const { next, count, before } of jobs) if (index >= next && index < count) return before;
  return audience.lasts;
}

export const followingsOf = ({ followings }: Listener): readonly Following[] =>
  Array.isArray(followings) ? (followings as readonly Following[]) : [followings as Following];
