/**
 * What routers are told of ids: those whose first page came, and those whose last one is gone for good. Those of one turn of the event
 * loop go in one term, encoded once for all routers; a router that has just said welcome is told all of them.
 */

import { encodeVersioned } from '../etf/encode.js';
import { type Atom, atom, type Pid, type Term, tuple } from '../etf/terms.js';
import { type Audience, ENDED } from './audience.js';
import { termOfId } from './ids.js';

/** Ids in a term. */
const MOST = 1000;
const AGAIN_SECONDS = 5;

/** Who takes it. `false`: it did not go. */
export type TellRouter = (payload: Buffer) => boolean;

/** What one router was told, and has not answered. */
export class Told {
  /** By the first id of each term, when it went. */
  readonly #open = new Map<string, number>();

  went(first: string, now: number): void {
    this.#open.set(first, now);
  }

  answered(first: string): void {
    this.#open.delete(first);
  }

  /** Something of it is without an answer for too long. */
  isUnheard(now: number): boolean {
    for (const at of this.#open.values()) return at + AGAIN_SECONDS < now;
    return false;
  }
}

export class RollCall {
  readonly #gateway: Pid;
  readonly #login = atom('login');
  readonly #logout = atom('logout');
  #in: Audience[] = [];
  #out: Audience[] = [];

  /** @param gateway this process of it */
  constructor(gateway: Pid) {
    this.#gateway = gateway;
  }

  /** @returns whether it is the first of this turn */
  login(audience: Audience): boolean {
    return this.#in.push(audience) === 1 && this.#out.length === 0;
  }

  logout(audience: Audience): boolean {
    return this.#out.push(audience) === 1 && this.#in.length === 0;
  }

  /** The terms of this turn: an id that left and came again comes behind. */
  take(): readonly { readonly payload: Buffer; readonly first: string | undefined }[] {
    const out = this.#out;
    const came = this.#in.filter(({ leftAt }) => leftAt !== ENDED);
    this.#out = [];
    this.#in = [];
    return [
      ...parts(out).map((part) => ({ payload: this.#term(this.#logout, part), first: undefined })),
      ...parts(came).map((part) => this.some(part)),
    ];
  }

  some(part: readonly Audience[]): { readonly payload: Buffer; readonly first: string | undefined } {
    return { payload: this.#term(this.#login, part), first: part[0]?.id };
  }

  #term(word: Atom, part: readonly Audience[]): Buffer {
    const ids: Term = part.map(({ id }) => termOfId(id));
    return encodeVersioned(tuple(this.#gateway, word, ids));
  }
}

function parts(list: readonly Audience[]): readonly (readonly Audience[])[] {
  const all: (readonly Audience[])[] = [];
  for (let at = 0; at < list.length; at += MOST) all.push(list.slice(at, at + MOST));
  return all;
}

/** Up to so many of them, in their order; fewer at the end. */
export function takeSome(all: Iterator<Audience>): readonly Audience[] {
  const some: Audience[] = [];
  while (some.length < MOST) {
    const { value, done } = all.next();
    if (done === true) break;
    some.push(value);
  }
  return some;
}
