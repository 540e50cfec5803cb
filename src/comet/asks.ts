/**
 * Questions to routers for what is missing: of an id, and of pages that came back. Those of the same id, origin and number are one
 * question, however many pages wait for its answer. Without an answer it is asked again after some seconds.
 */

import type { Term } from '../etf/terms.js';
import type { CometCounters } from '../observe/comet-counters.js';
import type { Audience, Following } from './audience.js';
import type { Message } from './message.js';
import type { Origin } from './origins.js';

export interface Ask {
  readonly number: number;
  readonly audience: Audience;
  readonly origin: Origin;
  readonly since: number;
  /** For all who follow it. */
  hasHole: boolean;
  readonly followings: Following[];
  /** The second at which it was asked. */
  at: number;
}

export interface Answer {
  readonly messages: readonly Message[];
  readonly to: number;
  readonly isWhole: boolean;
}

/** Where questions go. `false`: there is no room now. */
export type SendAsk = (origin: Origin, number: number, id: string, since: number) => boolean;

const AGAIN_SECONDS = 5;

export class Asks {
  readonly #send: SendAsk;
  readonly #counters: CometCounters;
  /** In the order in which they were asked. */
  readonly #open = new Map<number, Ask>();
  /** By origin and number, for there may be as many of an id as pages that came back. */
  readonly #byAudience = new Map<Audience, Map<string, Ask>>();
  #last = 0;
  #now = 0;

  constructor(send: SendAsk, counters: CometCounters) {
    this.#send = send;
    this.#counters = counters;
  }

  get size(): number {
    return this.#open.size;
  }

  /**
   * @param following the page that misses it; `undefined`: all who follow the id
   * @param isLater it was asked just now, to no avail
   */
  add(
    audience: Audience,
    origin: Origin,
    number: number,
    following: Following | undefined,
    isLater: boolean,
  ): void {
    // Numbers of a life that is over: all of the new one's is new.
    const since = number < origin.life ? 0 : number;
    if (following === undefined) this.#counters.replays.hole += 1;
    else this.#counters.replays.page += 1;
    const ask = this.#find(audience, origin, since) ?? this.#make(audience, origin, since, isLater);
    if (following === undefined) ask.hasHole = true;
    else ask.followings.push(following);
  }

  /** The question that this answers; `undefined`: nobody waits for it any more. */
  take(number: Term | undefined, origin: Origin, id: string): Ask | undefined {
    const ask = typeof number === 'number' ? this.#open.get(number) : undefined;
    if (ask === undefined || ask.origin !== origin || ask.audience.id !== id) return undefined;
    this.#remove(ask);
    return ask;
  }

  /** The origin answers no more. @returns what it was asked */
  lost(origin: Origin): readonly Ask[] {
    const lost = [...this.#open.values()].filter((ask) => ask.origin === origin);
    for (const ask of lost) this.#remove(ask);
    return lost;
  }

  /** Those that nobody waits for are forgotten: the last one who followed the id has left. */
  forget(audience: Audience): void {
    for (const ask of this.#byAudience.get(audience)?.values() ?? []) this.#remove(ask);
  }

  tick(now: number): void {
    this.#now = now;
    for (const ask of this.#open.values()) {
      if (ask.at + AGAIN_SECONDS > now) return;
      this.#open.delete(ask.number);
      this.#open.set(ask.number, ask);
      this.#ask(ask);
    }
  }

  #find(audience: Audience, origin: Origin, since: number): Ask | undefined {
    return this.#byAudience.get(audience)?.get(keyOf({ origin, since }));
  }

  #make(audience: Audience, origin: Origin, since: number, isLater: boolean): Ask {
    this.#last += 1;
    const ask: Ask = {
      ...{ number: this.#last, audience, origin, since },
      ...{ hasHole: false, followings: [], at: this.#now },
    };
    this.#open.set(ask.number, ask);
    const others = this.#byAudience.get(audience);
    if (others === undefined) this.#byAudience.set(audience, new Map([[keyOf(ask), ask]]));
    else others.set(keyOf(ask), ask);
    if (!isLater) this.#ask(ask);
    return ask;
  }

  #ask(ask: Ask): void {
    ask.at = this.#now;
    this.#send(ask.origin, ask.number, ask.audience.id, ask.since);
  }

  #remove(ask: Ask): void {
    this.#open.delete(ask.number);
    const others = this.#byAudience.get(ask.audience);
    others?.delete(keyOf(ask));
    if (others?.size === 0) this.#byAudience.delete(ask.audience);
  }
}

const keyOf = ({ origin, since }: Pick<Ask, 'origin' | 'since'>): string => `${origin.index}.${since}`;

/** What becomes of an answer, step by step. */
export interface Walk {
  /** `false`: no further. */
  message(message: Message): boolean;
  /** What lies before it, and this one, is not there any more. */
  gap(number: number): void;
  /** The life before it is over: nothing is missing. */
  skip(number: number): void;
}

/** Goes through what lies behind a number, up to where the answer ends. */
export function walk({ messages, to, isWhole }: Answer, since: number, steps: Walk): void {
  let last = since;
  // Of a life that began since, whatever comes first is the first.
  let isNew = isWhole;
  for (const message of messages) {
    if (message.number <= last) continue;
    if (message.number > last + 1) {
      if (isNew) steps.skip(message.number - 1);
      else steps.gap(message.number - 1);
    }
    isNew = false;
    if (!steps.message(message)) return;
    last = message.number;
  }
  if (to <= last) return;
  if (isNew) steps.skip(to);
  else steps.gap(to);
}
