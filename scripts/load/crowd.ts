/**
 * The users of one process: logs them in, a few at a time, and lets them write to each other by a schedule. Whoever
 * falls behind is not waited for: a message counts from the moment it was due, also where this process was late.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { BoshUser } from './bosh-user.js';
import { Target } from './client-socket.js';
import { nowMicroseconds } from './clock.js';
import { type Counters, increment, noCounters } from './counters.js';
import { Histogram } from './histogram.js';
import { type Due, type Plan, schedule } from './schedule.js';
import { Sequences } from './sequences.js';
import { message } from './stanzas.js';
import type { Transport, User, UserListener } from './user.js';
import { WebSocketUser } from './websocket-user.js';

export interface CrowdOptions {
  readonly url: string;
  readonly transport: Transport;
  /** The virtual host of the users. */
  readonly host: string;
  readonly users: number;
  /** Number of the first of them, among those of all processes, and how many these are together. */
  readonly first: number;
  readonly everybody: number;
  /** Seconds that a request may be held. */
  readonly wait: number;
  /** Whoever's session ends logs in again, within a second, as a page does that is told to. */
  readonly again?: boolean;
}

export interface Talk extends Pick<Plan, 'pattern' | 'rate' | 'seed'> {
  /** Microseconds of the machine's clock, the same for all processes. */
  readonly begin: number;
  /** JIDs of everybody, where users write to those of other processes as well. */
  readonly jids?: readonly string[];
}

/** How fast logins follow each other: a server may have room for few connections that it has not accepted yet. */
export interface Pace {
  /** At most, under way at a time. */
  readonly concurrency: number;
  /** At most; Infinity for as fast as the server takes them. */
  readonly perSecond: number;
}

/** A pace that was not kept is caught up with, but for no more than this. */
const CATCH_UP_MS = 100;
const TICK_MS = 1;
const SWEEP_MS = 1_000;
const AGAIN_MS = 1_000;

export class Crowd {
  readonly #latencies = new Histogram();
  readonly #lags = new Histogram();
  readonly #options: CrowdOptions;
  readonly #users: User[];
  readonly #counters = noCounters();
  readonly #sequences = new Sequences();
  /** Messages sent, by pair of users. */
  readonly #sent = new Map<number, number>();
  #talking: NodeJS.Timeout | undefined;
  /** Users who have been told to log in. */
  #begun = 0;
  /** When they last began to talk. */
  #talkBegin = 0;

  constructor(options: CrowdOptions) {
    const { url, transport, host, users, wait, again = false } = options;
    this.#options = options;
    const service = { target: new Target(url), host, wait };
    const listener = this.#listener();
    const user = (index: number): User => {
      const own = again ? { ...listener, ended: this.#andAgain(listener, index, user) } : listener;
      return transport === 'bosh' ? new BoshUser(service, own) : new WebSocketUser(service, own);
    };
    this.#users = Array.from({ length: users }, (_, index) => user(index));
    setInterval(() => {
      const now = Date.now();
      for (const user of this.#users) user.sweep(now);
    }, SWEEP_MS).unref();
  }

  get counters(): Counters {
    const { delivered, doubled, reordered } = this.#sequences;
    const requests = this.#users.reduce((total, user) => total + user.requests, 0);
    return { ...this.#counters, requests, delivered, doubled, reordered };
  }

  /** Empty for those who are not online. */
  get jids(): readonly string[] {
    return this.#users.map((user) => (user.isOnline ? user.jid : ''));
  }

  /** Counts of histograms of microseconds since the last time: from due to delivered, and from due to sent. */
  takeTimes(): { readonly latencies: readonly number[]; readonly lags: readonly number[] } {
    const times = { latencies: [...this.#latencies.counts], lags: [...this.#lags.counts] };
    this.#latencies.clear();
    this.#lags.clear();
    return times;
  }

  /** Logs the next so many in. Resolves when each of them is online or has failed. */
  login(pace: Pace, count: number): Promise<void> {
    const next = this.#users.slice(this.#begun, this.#begun + count);
    this.#begun += next.length;
    return this.#inTurn(next, pace, (user) => user.login());
  }

  /** Resolves when every user has left. */
  logout(pace: Pace): Promise<void> {
    this.pause();
    return this.#inTurn(this.#users, pace, (user) => user.logout());
  }

  /** From now until `pause`. */
  talk({ jids, begin, ...plan }: Talk): void {
    this.pause();
    this.#talkBegin = begin;
    const { first, everybody } = this.#options;
    const coming = schedule({ ...plan, first, senders: this.#users.length, everybody });
    let next = coming.next().value;
    this.#talking = setInterval(() => {
      const now = nowMicroseconds();
      for (; begin + next.at <= now; next = coming.next().value) {
        this.#lags.add(now - begin - next.at);
        this.#say(next, begin, jids);
      }
    }, TICK_MS);
  }

  pause(): void {
    clearInterval(this.#talking);
  }

  #say({ at, sender, recipient }: Due, begin: number, jids: readonly string[] | undefined): void {
    const { first, everybody } = this.#options;
    const from = this.#users[sender - first];
    const to = this.#users[recipient - first];
    const jid = to === undefined ? jids?.[recipient] : to.isOnline ? to.jid : '';
    if (!from?.isOnline || jid === undefined || jid === '') return;
    const pair = sender * everybody + recipient;
    const seq = (this.#sent.get(pair) ?? 0) + 1;
    this.#sent.set(pair, seq);
    this.#counters.sent += 1;
    from.send(message(jid, { pair, seq, at: Math.floor(begin + at) }));
  }

  async #inTurn(
    users: readonly User[],
    { concurrency, perSecond }: Pace,
    go: (user: User) => Promise<void>,
  ): Promise<void> {
    // Shared by all lanes.
    const waiting = users.values();
    let next = performance.now();
    const lane = async (): Promise<void> => {
      for (const user of waiting) {
        next = Math.max(next + 1000 / perSecond, performance.now() - CATCH_UP_MS);
        const early = next - performance.now();
        if (early > 0) await sleep(early);
        await go(user);
      }
    };
    await Promise.all(Array.from({ length: concurrency }, lane));
  }

  /** Another user takes the place of one whose session ended. */
  #andAgain(listener: UserListener, index: number, user: (index: number) => User): UserListener['ended'] {
    return (wasOnline, reason) => {
      listener.ended(wasOnline, reason);
      if (reason === undefined) return;
      setTimeout(() => {
        const next = user(index);
        this.#users[index] = next;
        void next.login();
      }, Math.random() * AGAIN_MS);
    };
  }

  #listener(): UserListener {
    const counters = this.#counters;
    return {
      online: () => {
        counters.online += 1;
        counters.logins += 1;
      },
      refused: () => {
        counters.refused += 1;
      },
      arrived: (marks) => {
        const now = nowMicroseconds();
        for (const { pair, seq, at } of marks) {
          this.#sequences.arrived(pair, seq);
          // What an earlier talk left behind says nothing about this one.
          if (at < this.#talkBegin) counters.stragglers += 1;
          else this.#latencies.add(now - at);
        }
      },
      ordered: (marks) => {
        for (const { pair, seq } of marks) this.#sequences.ordered(pair, seq);
      },
      broken: (reason) => increment(counters.broken, reason),
      ended: (wasOnline, reason) => {
        if (wasOnline) counters.online -= 1;
        if (reason !== undefined) increment(counters.ended, reason);
      },
    };
  }
}
