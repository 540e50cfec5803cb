/**
 * Hundreds to thousands of people who write to each other over both transports at a steady rate, in as many processes as
 * they need, and the checker that judges what became of each message while others break things.
 */

import { createWriteStream, mkdirSync, type WriteStream } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from '../load/child.js';
import { nowMicroseconds } from '../load/clock.js';
import { Checker } from './checker.js';
import { type Event, type Loss, toLine } from './history.js';
import type { PeopleOptions } from './people.js';
import { describe, isBroken, lastLine, type Verdict, verdictOf } from './report.js';
import type { Commands } from './worker.js';

export interface SteadyOptions extends Pick<PeopleOptions, 'urls' | 'host'> {
  /** They have accounts (accounts.ts). */
  readonly users: number;
  /** Messages a second. */
  readonly rate: number;
  readonly seed: number;
  /** Where the history is kept. */
  readonly folder: string;
  /** The command line that plays the run again. */
  readonly again?: string;
}

/** What is on at a moment. */
export interface Now extends Verdict {
  readonly online: number;
  readonly sent: number;
  readonly received: number;
  readonly resumed: number;
  /** Seconds that the oldest accepted message has been on its way, 0 where none is. */
  readonly oldest: number;
}

export interface Outcome extends Verdict {
  /** An invariant broke. */
  readonly isBroken: boolean;
  /** What happened, in words. */
  readonly lines: readonly string[];
  readonly lastLine: string;
}

const WORKER = new URL('./worker.js', import.meta.url);
const USERS_PER_PROCESS = 1_000;
const POLL_MS = 100;
const NOTICE_MS = 300;
/** What is late for so long at the end is looked for in offline storage, and then again. */
const QUIET_MS = 8_000;
const FETCHES = 2;

export class Steady {
  readonly checker = new Checker();
  readonly #options: SteadyOptions;
  readonly #workers: readonly Child<Commands>[];
  readonly #begin: number;
  readonly #history: WriteStream;
  /** What the workers told and is not in order yet: another's may belong between. */
  #early: Event[] = [];
  #online = 0;
  #polling: Promise<void> | undefined;
  #isOver = false;

  private constructor(options: SteadyOptions, begin: number, workers: readonly Child<Commands>[]) {
    this.#options = options;
    this.#begin = begin;
    this.#workers = workers;
    mkdirSync(options.folder, { recursive: true });
    this.#history = createWriteStream(join(options.folder, 'history.jsonl'));
  }

  static async start(options: SteadyOptions): Promise<Steady> {
    const { urls, host, users } = options;
    const processes = Math.ceil(users / USERS_PER_PROCESS);
    const begin = nowMicroseconds();
    const workers = Array.from({ length: processes }, () => new Child<Commands>(WORKER));
    await Promise.all(
      workers.map((worker, index) => {
        const first = Math.floor((users * index) / processes);
        const count = Math.floor((users * (index + 1)) / processes) - first;
        return worker.ask('begin', { urls, host, first, count, everybody: users, begin });
      }),
    );
    const steady = new Steady(options, begin, workers);
    steady.#polling = steady.#poll();
    return steady;
  }

  /** @throws Error where somebody cannot log in */
  async login(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.ask('login')));
    if (!(await this.#until(() => this.#online === this.#options.users, 30_000))) {
      throw new Error(`only ${this.#online} of ${this.#options.users} users are online`);
    }
  }

  async talk(): Promise<void> {
    const { rate, seed } = this.#options;
    const count = this.#workers.length;
    await Promise.all(
      this.#workers.map((worker, index) =>
        worker.ask('talk', { rate: rate / count, seed: seed * count + index }),
      ),
    );
  }

  /** Somebody does something that clients may notice. @param fault its kind, for the table */
  step(what: string, fault = what, loses: Loss = 'nothing'): void {
    this.#take({ kind: 'step', at: this.#now, fault, what, loses });
  }

  /** Seconds until everybody was online and no accepted message late; `undefined` where that took too long. */
  async recovered(timeoutSeconds: number, lateSeconds = 1): Promise<number | undefined> {
    const begin = this.#now;
    // Those who were hit may not know it yet.
    await sleep(NOTICE_MS);
    if (!(await this.#until(() => this.#isWell(lateSeconds), timeoutSeconds * 1000))) return undefined;
    this.#take({ kind: 'recovered', at: this.#now });
    return (this.#now - begin) / 1e6;
  }

  /** How many sessions the servers have for each user, all being quiet. */
  sessions(counts: ReadonlyMap<number, number>): void {
    for (const [user, count] of counts) this.#take({ kind: 'sessions', at: this.#now, user, count });
  }

  get now(): Now {
    const { sent, received, resumed } = this.checker.counts;
    return {
      ...verdictOf(this.checker),
      online: this.#online,
      sent,
      received,
      resumed,
      oldest: this.#oldest(),
    };
  }

  /** Sends no more, lets everybody fetch what is owed, and judges. */
  async finish(): Promise<Outcome> {
    await this.#all('pause');
    // All that was sent is known, or what is still on its way would meet people who leave.
    await this.#look();
    await this.#untilQuiet();
    for (let fetch = 0; fetch < FETCHES && this.#owed().length > 0; fetch += 1) {
      const users = this.#owed();
      await Promise.all(this.#workers.map((worker) => worker.ask('again', users)));
      await this.#untilQuiet();
    }
    await this.#all('leave');
    this.#isOver = true;
    await this.#polling;
    this.#sort(Infinity);
    for (const worker of this.#workers) worker.end();
    await new Promise((resolve) => this.#history.end(resolve));
    this.checker.finish();
    const verdict = verdictOf(this.checker);
    const again = this.#options.again ?? `seed ${this.#options.seed}`;
    return {
      ...verdict,
      isBroken: isBroken(verdict),
      lines: describe(this.checker, `${again} (history: ${join(this.#options.folder, 'history.jsonl')})`),
      lastLine: lastLine(verdict),
    };
  }

  /** Drops everything. */
  close(): void {
    this.#isOver = true;
    // It may be asking those who are ended now.
    this.#polling?.catch(() => {});
    for (const worker of this.#workers) worker.end();
  }

  get #now(): number {
    return nowMicroseconds() - this.#begin;
  }

  #take(event: Event): void {
    this.#early.push(event);
  }

  async #poll(): Promise<void> {
    while (!this.#isOver) {
      await this.#look();
      await sleep(POLL_MS);
    }
    await this.#look();
  }

  async #look(): Promise<void> {
    const before = this.#now;
    const told = await Promise.all(this.#workers.map((worker) => worker.ask('poll')));
    for (const { events } of told) for (const event of events) this.#early.push(event);
    this.#online = told.reduce((sum, { online }) => sum + online, 0);
    this.#sort(before);
  }

  /** All that happened before this moment is known. */
  #sort(before: number): void {
    const due = this.#early.filter(({ at }) => at < before).sort((a, b) => a.at - b.at);
    this.#early = this.#early.filter(({ at }) => at >= before);
    for (const event of due) {
      this.checker.add(event);
      this.#history.write(toLine(event));
    }
  }

  #isWell(lateSeconds: number): boolean {
    return this.#online === this.#options.users && this.#oldest() < lateSeconds;
  }

  #oldest(): number {
    let oldest = Infinity;
    for (const { acceptedAt = Infinity, ...id } of this.checker.open()) {
      if (acceptedAt < oldest && !this.checker.isGone(id, acceptedAt)) oldest = acceptedAt;
    }
    return oldest === Infinity ? 0 : (this.#now - oldest) / 1e6;
  }

  /** To whom something is owed that was accepted. */
  #owed(): number[] {
    const users = new Set<number>();
    for (const { to, acceptedAt } of this.checker.open()) if (acceptedAt !== undefined) users.add(to);
    return [...users];
  }

  /** Until all that was sent is received, or nothing has come for a while. */
  async #untilQuiet(): Promise<void> {
    let before = -1;
    let since = this.#now;
    await this.#until(() => {
      const { received, repeated } = this.checker.counts;
      if (received + repeated !== before) since = this.#now;
      before = received + repeated;
      return (
        (this.#online === this.#options.users && this.checker.open().next().done === true) ||
        this.#now - since > QUIET_MS * 1000
      );
    }, Infinity);
  }

  /** Whether it came. */
  async #until(condition: () => boolean, milliseconds: number): Promise<boolean> {
    const end = performance.now() + milliseconds;
    while (!condition()) {
      if (performance.now() > end) return false;
      await sleep(POLL_MS / 2);
    }
    return true;
  }

  async #all(command: 'pause' | 'leave'): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.ask(command)));
  }
}
