/** How fast users log in when nothing holds them back, and the memory that each takes once idle. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Load, Pace } from '../../load/load.js';
import type { Progress } from '../../load/progress.js';
import { describeTrouble } from '../../load/trouble.js';
import type { Cores } from '../lib/cores.js';
import { type Counts, countsBetween, totalsOf } from '../lib/counts.js';
import type { Server } from '../lib/server.js';
import { startServer } from '../lib/start-server.js';
import { NAMES, type SubjectName } from '../lib/subjects.js';
import { minus, share, type Usage } from '../lib/usage.js';

/** Enough to keep each server busy all the time. */
const FULL = { concurrency: 64, perSecond: Infinity };
/** Slow enough for all of them at once not to fall behind. */
const STEADY = { concurrency: 64, perSecond: 100 };

/** Of all users, of whom some servers lose one now and then. */
const MOST = 0.99;

/** Logins of which the machine code of all parts is made. */
const WARM_UP = 300;

/** So many logins in turn. */
export interface Round {
  readonly perSecond: number;
  /** Seconds of processor time for each. */
  readonly cpu: Usage;
  readonly loadCpu: number;
  readonly counts: Counts;
}

/** A server on which users stay once they have logged in. */
export class IdleSubject {
  readonly name: SubjectName;
  readonly #server: Server;
  readonly #progress: Progress;
  /** Whose logins are timed, in one process that has warmed up. */
  readonly #timed: Load;
  readonly #loads: Load[];
  readonly #cores: Cores;

  private constructor(name: SubjectName, server: Server, timed: Load, cores: Cores, progress: Progress) {
    this.name = name;
    this.#server = server;
    this.#timed = timed;
    this.#loads = [timed];
    this.#cores = cores;
    this.#progress = progress;
  }

  /** @param users how many logins there will be to time */
  static async start(
    name: SubjectName,
    users: number,
    cores: Cores,
    progress: Progress,
  ): Promise<IdleSubject> {
    progress.say(`${NAMES[name]}: a fresh node ...`);
    const server = await startServer(name, cores.servers);
    const timed = await server.load(WARM_UP + users);
    timed.pin(cores.load);
    const subject = new IdleSubject(name, server, timed, cores, progress);
    await subject.#login(timed, FULL, WARM_UP);
    return subject;
  }

  /** The next so many of the users whose logins are timed, as fast as the server takes them. */
  async logIn(users: number): Promise<Round> {
    const begin = await this.#totals();
    await this.#login(this.#timed, FULL, users);
    const end = await this.#totals();
    return {
      perSecond: (users * 1000) / (end.at - begin.at),
      cpu: share(minus(end.cpu, begin.cpu), users),
      loadCpu: (end.loadCpu - begin.loadCpu) / users,
      counts: countsBetween(begin.totals, end.totals, users),
    };
  }

  async #totals() {
    const { requests } = await this.#timed.counters();
    return {
      totals: await totalsOf(this.#server, requests),
      cpu: this.#server.cpu(),
      loadCpu: this.#timed.usage().cpu,
      at: performance.now(),
    };
  }

  /**
   * Bytes for each of so many users more. Those who are there already have used up what a fresh node has free.
   * @param settleSeconds from the last login to the measurement
   */
  async memoryOf(users: number, settleSeconds: number): Promise<Usage> {
    await sleep(settleSeconds * 1000);
    const before = this.#server.memory();
    const load = await this.#server.load(users);
    load.pin(this.#cores.load);
    this.#loads.push(load);
    await this.#login(load, STEADY, users);
    await this.#progress.wait(load, settleSeconds);
    const growth = minus(this.#server.memory(), before);
    const { online } = await load.counters();
    for (const each of this.#loads) await this.#verify(each);
    return share(growth, online);
  }

  /** @throws Error where too few of them are online for the figures to be worth something */
  async #verify(load: Load): Promise<void> {
    const counters = await load.counters();
    for (const line of describeTrouble(counters)) this.#progress.say(`  ${NAMES[this.name]}: ${line}`);
    if (counters.online < load.users * MOST) {
      throw new Error(`only ${counters.online} of ${load.users} users stayed online`);
    }
  }

  async end(): Promise<void> {
    for (const load of this.#loads) load.close();
    await this.#server.stop();
  }

  async #login(load: Load, pace: Pace, users: number): Promise<void> {
    const stop = this.#progress.follow(load);
    await load.login(pace, users);
    stop();
  }
}
