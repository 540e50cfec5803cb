/**
 * The users of one process: logs them in, a few at a time, and lets each write to the next one, round and round, at a
 * steady rate. Whoever falls behind is not waited for: a message counts from the moment it was due.
 */

import { setTimeout as sleep } from 'node:timers/promises';
import { message } from './bosh-body.js';
import { BoshUser, type UserListener } from './bosh-user.js';
import { type Counters, increment, noCounters } from './counters.js';
import { Histogram } from './histogram.js';
import { Target } from './http-connection.js';
import { Sequences } from './sequences.js';

export interface CrowdOptions {
  readonly url: string;
  /** The virtual host of the users. */
  readonly host: string;
  readonly users: number;
  /** Seconds that a request may be held. */
  readonly wait: number;
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

/** Shared by all processes of a machine. */
function nowMicroseconds(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1e6 + Math.floor(nanoseconds / 1000);
}

export class Crowd {
  readonly #latencies = new Histogram();
  readonly #users: BoshUser[];
  readonly #counters = noCounters();
  readonly #sequences = new Sequences();
  /** Messages sent by each user. */
  readonly #sent: Uint32Array;
  #talking: NodeJS.Timeout | undefined;
  /** Users who have been told to log in. */
  #begun = 0;
  #turn = 0;

  constructor({ url, host, users, wait }: CrowdOptions) {
    const service = { target: new Target(url), host, wait };
    const listener = this.#listener();
    this.#users = Array.from({ length: users }, () => new BoshUser(service, listener));
    this.#sent = new Uint32Array(users);
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

  /** Counts of a histogram of microseconds from due to delivered, since the last time. */
  takeLatencies(): readonly number[] {
    const counts = [...this.#latencies.counts];
    this.#latencies.clear();
    return counts;
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

  /** Messages a second, from now until `pause`. */
  talk(rate: number): void {
    this.pause();
    const begin = nowMicroseconds();
    let due = 0;
    this.#talking = setInterval(() => {
      const now = nowMicroseconds();
      for (; begin + (due * 1e6) / rate <= now; due += 1) this.#sayNext(begin + (due * 1e6) / rate);
    }, TICK_MS);
  }

  pause(): void {
    clearInterval(this.#talking);
  }

  #sayNext(at: number): void {
    const sender = this.#turn;
    this.#turn = (sender + 1) % this.#users.length;
    const from = this.#users[sender];
    const to = this.#users[this.#turn];
    if (!from?.isOnline || !to?.isOnline) return;
    const seq = (this.#sent[sender] ?? 0) + 1;
    this.#sent[sender] = seq;
    this.#counters.sent += 1;
    from.send(message(to.jid, { sender, seq, at: Math.floor(at) }));
  }

  async #inTurn(
    users: readonly BoshUser[],
    { concurrency, perSecond }: Pace,
    go: (user: BoshUser) => Promise<void>,
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
        for (const { sender, seq, at } of marks) {
          this.#sequences.arrived(sender, seq);
          this.#latencies.add(now - at);
        }
      },
      ordered: (marks) => {
        for (const { sender, seq } of marks) this.#sequences.ordered(sender, seq);
      },
      broken: (reason) => increment(counters.broken, reason),
      ended: (wasOnline, reason) => {
        if (wasOnline) counters.online -= 1;
        if (reason !== undefined) increment(counters.ended, reason);
      },
    };
  }
}
