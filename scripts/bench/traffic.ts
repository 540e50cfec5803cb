/**
 * Users who send each other messages at a steady rate, and what that costs. Both servers are measured in turn, a
 * round each: how much a wake-up costs depends on what else the machine does.
 */

import { Histogram } from '../load/histogram.js';
import { Load, type Pace } from '../load/load.js';
import type { Progress } from '../load/progress.js';
import { describeTrouble } from '../load/trouble.js';
import { type Kind, NAMES, Server } from './lib/server.js';
import { minus, NOTHING, plus, share, type Usage } from './lib/usage.js';

/** Slow enough for both servers not to fall behind. */
const PACE: Pace = { concurrency: 20, perSecond: 50 };
/** Before each measurement, so that nothing of what came before falls into it. */
const QUIET_SECONDS = 3;
const LATE_MS = 3_000;
/** Longer than a request is held: what is not delivered by then never will be. */
const LOST_MS = 70_000;

/** Sums of all rounds. */
export interface Traffic {
  seconds: number;
  cpu: Usage;
  /** Seconds of processor time of the load generator. */
  loadCpu: number;
  delivered: number;
  /** Not delivered when nothing else came any more: they wait in the server for something to happen. */
  late: number;
  /** Microseconds from due to delivered; those that are late count as never. */
  readonly latencies: Histogram;
}

export const noTraffic = (): Traffic => ({
  seconds: 0,
  cpu: NOTHING,
  loadCpu: 0,
  delivered: 0,
  late: 0,
  latencies: new Histogram(),
});

/** A server with users on it. */
export class Subject {
  readonly kind: Kind;
  readonly server: Server;
  /** Seconds of processor time for each login. */
  readonly login: Usage;
  readonly #progress: Progress;
  #load: Load;
  /** Of the users who are gone. */
  #lost = 0;

  private constructor(kind: Kind, server: Server, load: Load, login: Usage, progress: Progress) {
    this.kind = kind;
    this.server = server;
    this.login = login;
    this.#load = load;
    this.#progress = progress;
  }

  /** A fresh node, with this many users logged in. */
  static async start(kind: Kind, users: number, progress: Progress): Promise<Subject> {
    progress.say(`${NAMES[kind]}: a fresh node, and ${users} logins ...`);
    const server = await Server.start(kind);
    await server.warmUp();
    const load = await Load.start({ url: server.url, host: 'localhost', users });
    await progress.wait(load, QUIET_SECONDS);
    const before = server.cpu();
    await load.login(PACE);
    await progress.wait(load, QUIET_SECONDS);
    return new Subject(kind, server, load, share(minus(server.cpu(), before), users), progress);
  }

  /** Lets the users talk, and adds what that cost to `traffic`. */
  async measure(rate: number, seconds: number, traffic: Traffic): Promise<void> {
    const load = this.#load;
    await load.talk(rate);
    await this.#progress.wait(load, QUIET_SECONDS);
    await load.times();
    const [begin, cpu, loadCpu] = [await load.counters(), this.server.cpu(), load.usage().cpu];
    await this.#progress.wait(load, seconds);
    const end = await load.counters();
    traffic.cpu = plus(traffic.cpu, minus(this.server.cpu(), cpu));
    traffic.loadCpu += load.usage().cpu - loadCpu;
    traffic.seconds += seconds;
    traffic.delivered += end.delivered - begin.delivered;
    const stop = this.#progress.follow(load, () => 'waiting for the last messages');
    await load.settle(LATE_MS);
    stop();
    const settled = await load.counters();
    const late = settled.sent - settled.delivered;
    traffic.latencies.merge((await load.times()).latencies);
    traffic.latencies.add(Infinity, late);
    traffic.late += late;
  }

  /** Where users did not stay online, or wait for many messages in vain, tells so, and others take their place. */
  async mend(): Promise<void> {
    const counters = await this.#load.counters();
    const missing = counters.sent - counters.delivered;
    const { users } = this.#load;
    if (counters.online === users && missing <= users / 10) return;
    this.#progress.say(
      `${NAMES[this.kind]}: ${counters.online} of ${users} users are online, ${missing} messages missing: others follow`,
    );
    for (const line of describeTrouble(counters)) this.#progress.say(`  ${line}`);
    this.#lost += counters.sent - counters.delivered;
    this.#load.close();
    this.#load = await Load.start({ url: this.server.url, host: 'localhost', users: this.#load.users });
    await this.#load.login(PACE);
  }

  /** Messages of all measurements that were never delivered, those of sessions that ended among them. */
  async lost(): Promise<number> {
    const stop = this.#progress.follow(this.#load, () => 'waiting for the last messages');
    await this.#load.settle(LOST_MS);
    stop();
    const counters = await this.#load.counters();
    const { sent, delivered } = counters;
    this.#progress.say(`${NAMES[this.kind]}: ${sent} messages sent, ${delivered} delivered`);
    for (const line of describeTrouble(counters)) this.#progress.say(`  ${line}`);
    return this.#lost + sent - delivered;
  }

  async end(): Promise<void> {
    this.#load.close();
    await this.server.stop();
  }
}
