/** A server with users on it who write to each other, and what that costs. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Counters } from '../../load/counters.js';
import type { Load, Pace } from '../../load/load.js';
import type { Progress } from '../../load/progress.js';
import type { Pattern } from '../../load/schedule.js';
import { describeTrouble } from '../../load/trouble.js';
import type { Cores } from '../lib/cores.js';
import { type Counts, countsBetween, systemCalls, totalsOf } from '../lib/counts.js';
import type { Server } from '../lib/server.js';
import { startServer } from '../lib/start-server.js';
import { NAMES, type SubjectName } from '../lib/subjects.js';
import { minus, share, type Usage } from '../lib/usage.js';

/** Slow enough for all servers not to fall behind. */
const PACE: Pace = { concurrency: 20, perSecond: 100 };
const WARM_UP = { rate: 1_000, seconds: 4 };
/** Before each measurement, so that nothing of what came before falls into it. System calls are counted meanwhile. */
const QUIET_SECONDS = 1;
/** What is not there when nothing has come for so long is late. */
const LATE_MS = 2_000;
/** Longer than a request is held: what is not delivered by then never will be. */
const LOST_MS = 70_000;
/** For each process of the load generator: one that is busy half the time would add latency of its own. */
const USERS_PER_PROCESS = 250;

/** One window of measurement. */
export interface Sample {
  readonly delivered: number;
  /** Delivered, of those that were due in that time. */
  readonly keptUp: number;
  /** Not delivered when nothing else came any more: they wait in the server for something to happen. */
  readonly late: number;
  /** Seconds of processor time for each delivered message. */
  readonly cpu: Usage;
  readonly loadCpu: number;
  /** Milliseconds from due to delivered; those that are late count as never. */
  readonly p50: number;
  readonly p99: number;
  /** Milliseconds from due to sent, which is the load generator's own part of p99. */
  readonly lag99: number;
  /** For each delivered message. */
  readonly counts: Counts;
}

export class Subject {
  readonly name: SubjectName;
  readonly #server: Server;
  readonly #cores: Cores;
  readonly #progress: Progress;
  #load: Load;
  /** Of the users who are gone. */
  #lost = 0;

  private constructor(name: SubjectName, server: Server, load: Load, cores: Cores, progress: Progress) {
    this.name = name;
    this.#server = server;
    this.#load = load;
    this.#cores = cores;
    this.#progress = progress;
  }

  /** A fresh node, with this many users logged in, who have talked for a while. */
  static async start(name: SubjectName, users: number, cores: Cores, progress: Progress): Promise<Subject> {
    progress.say(`${NAMES[name]}: a fresh node, and ${users} logins ...`);
    const server = await startServer(name, cores.servers);
    const load = await logIn(server, users, cores);
    await load.talk(WARM_UP.rate, 'random');
    await progress.wait(load, WARM_UP.seconds);
    await load.settle(LATE_MS);
    return new Subject(name, server, load, cores, progress);
  }

  async measure(pattern: Pattern, rate: number, seconds: number, seed: number): Promise<Sample> {
    const [load, server] = [this.#load, this.#server];
    const before = await load.counters();
    await load.talk(rate, pattern, seed);
    await sleep(QUIET_SECONDS * 200);
    const calls = await systemCalls(server, QUIET_SECONDS);
    await load.times();
    const begin = await this.#totals();
    await this.#progress.wait(load, seconds);
    const end = await this.#totals();
    const delivered = end.delivered - begin.delivered;
    const stop = this.#progress.follow(load, () => 'waiting for the last messages');
    await load.settle(LATE_MS);
    stop();
    const settled = await load.counters();
    const late = missing(settled) - missing(before) + settled.stragglers - before.stragglers;
    const { latencies, lags } = await load.times();
    latencies.add(Infinity, late);
    const perSecond = (delivered * 1000) / (end.at - begin.at);
    const ofCalls = Object.entries(calls).map(([name, each]) => [name, each / perSecond]);
    await this.#mend();
    return {
      delivered,
      keptUp: perSecond / rate,
      late,
      cpu: share(minus(end.cpu, begin.cpu), delivered),
      loadCpu: (end.loadCpu - begin.loadCpu) / delivered,
      p50: latencies.percentile(50) / 1000,
      p99: latencies.percentile(99) / 1000,
      lag99: lags.percentile(99) / 1000,
      counts: { ...countsBetween(begin.totals, end.totals, delivered), ...Object.fromEntries(ofCalls) },
    };
  }

  async #totals() {
    const counters = await this.#load.counters();
    return {
      at: performance.now(),
      delivered: counters.delivered,
      cpu: this.#server.cpu(),
      loadCpu: this.#load.usage().cpu,
      totals: await totalsOf(this.#server, counters.requests),
    };
  }

  /** Where users did not stay online, or wait for many messages in vain, tells so, and others take their place. */
  async #mend(): Promise<void> {
    const counters = await this.#load.counters();
    const { users } = this.#load;
    if (counters.online === users && missing(counters) <= users / 10) return;
    this.#progress.say(
      `${NAMES[this.name]}: ${counters.online} of ${users} users are online, ${missing(counters)} messages missing: others follow`,
    );
    for (const line of describeTrouble(counters)) this.#progress.say(`  ${line}`);
    this.#lost += missing(counters);
    this.#load.close();
    this.#load = await logIn(this.#server, users, this.#cores);
  }

  /** Messages of all measurements that were never delivered, those of sessions that ended among them. */
  async lost(): Promise<number> {
    const stop = this.#progress.follow(this.#load, () => 'waiting for the last messages');
    await this.#load.settle(LOST_MS);
    stop();
    const counters = await this.#load.counters();
    const { sent, delivered } = counters;
    this.#progress.say(`${NAMES[this.name]}: ${sent} messages sent, ${delivered} delivered`);
    for (const line of describeTrouble(counters)) this.#progress.say(`  ${line}`);
    return this.#lost + missing(counters);
  }

  async end(): Promise<void> {
    this.#load.close();
    await this.#server.stop();
  }
}

const missing = ({ sent, delivered }: Counters): number => sent - delivered;

async function logIn(server: Server, users: number, cores: Cores): Promise<Load> {
  const load = await server.load(users, { usersPerProcess: USERS_PER_PROCESS });
  load.pin(cores.load);
  await load.login(PACE);
  return load;
}
