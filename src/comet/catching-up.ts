/** Pages that do not have just what their id has: carries out what the table of behind.ts says of them. */

import { TICKS_PER_SECOND, type TurnClock } from '../observe/turn-clock.js';
import { type Answer, type Ask, type Asks, walk } from './asks.js';
import type { Audience, Behind, Following, Listener } from './audience.js';
import { addBehind, behindOf, compare, next, removeBehind } from './behind.js';
import { type FanOut, type Stragglers, seenLast } from './fan-out.js';
import { placeBytes } from './forms.js';
import type { Message } from './message.js';
import { type Origin, type Origins, OWN } from './origins.js';
import type { Mark } from './place.js';
import { placeOf } from './places.js';
import type { Ring } from './ring.js';
import { TURN, type Turns } from './turns.js';

/** Messages that wait for one page. With more of them it asks once more. */
const MAX_MEANWHILE = 256;
/** An origin that comes so late is asked for what pages of that age may have missed: its ring has it for that long. */
const YOUNG = 60 * TICKS_PER_SECOND;

export class CatchingUp implements Stragglers {
  readonly #origins: Origins;
  readonly #fanOut: FanOut;
  readonly #asks: Asks;
  readonly #ring: Ring;
  readonly #turns: Turns;
  readonly #clock: TurnClock;

  constructor(origins: Origins, fanOut: FanOut, asks: Asks, ring: Ring, turns: Turns, clock: TurnClock) {
    this.#clock = clock;
    this.#origins = origins;
    this.#fanOut = fanOut;
    this.#asks = asks;
    this.#ring = ring;
    this.#turns = turns;
  }

  /** A page has come with its place, here of one of its ids. */
  note(following: Following, marks: readonly Mark[]): void {
    const { audience } = following;
    for (const { tag, number } of marks) addBehind(following, tag, number);
    for (let at = 0; at < audience.lasts.length; at += 2) {
      const { tag } = this.#origins.at(audience.lasts[at] as number);
      if (behindOf(following, tag) === undefined) addBehind(following, tag, 0);
    }
  }

  /** It gets what it has missed. */
  join(following: Following): void {
    for (const entry of following.behind ?? []) {
      if (following.index < 0) return;
      const origin = this.#origins.byTag(entry.tag);
      if (origin !== undefined) this.#settle(following, entry, origin, false);
    }
  }

  /** The origin has said where the id stands. */
  told(audience: Audience, origin: Origin, isFirst: boolean): void {
    if (!isFirst && audience.behind === 0) return;
    for (const following of audience.followings.slice()) {
      if (following === undefined || following.index < 0) continue;
      let entry = behindOf(following, origin.tag);
      if (entry === undefined && isFirst && this.#isYoung(following.listener))
        entry = addBehind(following, origin.tag, 0);
      if (entry?.phase === 'away') this.#settle(following, entry, origin, false);
    }
  }

  came(following: Following, origin: Origin, message: Message): void {
    const entry = behindOf(following, origin.tag);
    if (entry === undefined) return;
    if (entry.phase === 'asked') {
      const meanwhile = entry.meanwhile ?? [];
      if (meanwhile.length < MAX_MEANWHILE) meanwhile.push(message);
      entry.meanwhile = meanwhile;
    } else if (entry.phase === 'ahead') {
      this.#settle(following, entry, origin, false);
    }
    // What is away asks for it when the origin says where the id stands.
  }

  skipped(following: Following, origin: Origin): void {
    const entry = behindOf(following, origin.tag);
    // Whoever asks learns of it; and whoever has more misses nothing.
    if (entry?.phase === 'ahead') this.#settle(following, entry, origin, false);
  }

  /** What pages asked for has come, some of them in each turn. */
  answered(ask: Ask, answer: Answer): void {
    let at = 0;
    const some = (most: number): number => {
      const end = Math.min(ask.followings.length, at + most);
      const start = at;
      for (; at < end; at += 1) {
        const following = ask.followings[at] as Following;
        const entry = behindOf(following, ask.origin.tag);
        if (following.index >= 0 && entry?.phase === 'asked')
          this.#take(following, entry, ask.origin, answer);
      }
      return at < ask.followings.length ? most : Math.min(at - start, most - 1);
    };
    if (some(TURN) >= TURN) this.#turns.add(some);
  }

  /** The origin cannot be asked any more. */
  lost(ask: Ask): void {
    for (const following of ask.followings) {
      const entry = following.index < 0 ? undefined : behindOf(following, ask.origin.tag);
      if (entry === undefined || next(entry.phase, 'lost') !== 'away') continue;
      entry.phase = 'away';
      entry.meanwhile = undefined;
    }
  }

  /** Of origins that nobody knows it has missed whatever they had: there is nobody to ask. */
  forget(following: Following): void {
    let isTold = false;
    for (const entry of following.behind ?? []) {
      if (this.#origins.byTag(entry.tag) !== undefined) continue;
      removeBehind(following, entry);
      if (!isTold) this.#fanOut.gapOf(following);
      isTold = true;
    }
    if (isTold) this.#place(following.listener);
  }

  #isYoung({ came, since }: Listener): boolean {
    return came === 'back' && this.#clock.since(since) <= YOUNG;
  }

  /** @param isInVain it was asked just now, and is no further */
  #settle(following: Following, entry: Behind, origin: Origin, isInVain: boolean): void {
    const last = seenLast(following, origin);
    if (last === undefined) return;
    const phase = next(entry.phase, compare(entry.number, last));
    if (phase === 'live') removeBehind(following, entry);
    else if (phase === 'asked') this.#ask(following, entry, origin, last, isInVain);
    else entry.phase = phase;
  }

  #ask(following: Following, entry: Behind, origin: Origin, last: number, isInVain: boolean): void {
    entry.meanwhile = undefined;
    if (origin.index === OWN) {
      entry.phase = 'asked';
      this.#askOwn(following, entry, origin, last);
    } else if (origin.isWelcome) {
      entry.phase = 'asked';
      this.#asks.add(following.audience, origin, entry.number, following, isInVain);
    } else {
      entry.phase = 'away';
    }
  }

  #askOwn(following: Following, entry: Behind, origin: Origin, last: number): void {
    const { id } = following.audience;
    const isOld = entry.number < origin.life;
    // It may be further than the id: what too much waited for is in the ring alone.
    const to = Math.max(last, this.#ring.number(id) ?? last);
    const { messages, isWhole } = this.#ring.since(id, isOld ? 0 : entry.number, to);
    this.#take(following, entry, origin, { messages, to, isWhole });
  }

  #take(following: Following, entry: Behind, origin: Origin, answer: Answer): void {
    const before = entry.number;
    const { to } = answer;
    let isTold = true;
    if (entry.number > to) {
      // Nobody gave out that number, or the clock of its node was set back: whatever it has is not to be told.
      entry.number = to;
      this.#fanOut.gapOf(following);
    }
    // What the life before had sent is nowhere: whether it missed some of that nobody knows.
    const isWhole = answer.isWhole && (entry.number === 0 || entry.number >= origin.life);
    walk({ ...answer, isWhole }, entry.number, {
      message: (message) => this.#give(following, entry, message),
      gap: (number) => {
        entry.number = number;
        this.#fanOut.gapOf(following);
      },
      skip: (number) => {
        entry.number = number;
        isTold = number < to;
      },
    });
    for (const message of entry.meanwhile ?? [])
      if (message.number === entry.number + 1) isTold = this.#give(following, entry, message);
    if (following.index < 0) return;
    this.#settle(following, entry, origin, entry.number === before);
    if (!isTold) this.#place(following.listener);
  }

  /** `false`: it has left. */
  #give(following: Following, entry: Behind, message: Message): boolean {
    if (following.index < 0) return false;
    entry.number = message.number;
    this.#fanOut.write(following, message.content);
    return true;
  }

  /** A poll waits for something to happen. */
  #place(listener: Listener): void {
    const { form } = listener.page;
    const bytes = form === 'poll' ? undefined : placeBytes(form, placeOf(listener, this.#origins));
    if (bytes !== undefined) listener.page.write(bytes);
  }
}
