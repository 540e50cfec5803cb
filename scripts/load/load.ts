/** A load generator: real users of BOSH or WebSocket in as many processes as their connections need, seen as one crowd. */

import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from './child.js';
import { nowMicroseconds } from './clock.js';
import { type Counters, sum } from './counters.js';
import type { Pace } from './crowd.js';
import { Histogram } from './histogram.js';
import { cpuSeconds, pinProcess, residentBytes } from './linux-process.js';
import type { Pattern } from './schedule.js';
import type { Transport } from './user.js';
import type { Commands } from './worker.js';

/** Longer than the kernel takes to try again where a server did not accept a connection. */
const QUIET_MS = 10_000;
const POLL_MS = 200;
const WORKER = new URL('./worker.js', import.meta.url);

export type { Pace };

export interface LoadOptions {
  readonly url: string;
  /** Default BOSH. */
  readonly transport?: Transport;
  /** The virtual host, which must allow anonymous logins. */
  readonly host: string;
  readonly users: number;
  /** Seconds that the server may hold a request. Default 60. */
  readonly wait?: number;
  /** Default 8,000: who talks over BOSH has up to two connections, and a process may have 20,000 files on many machines. */
  readonly usersPerProcess?: number;
  /** Whoever's session ends logs in again. */
  readonly again?: boolean;
}

export class Load {
  readonly users: number;
  readonly #workers: readonly Child<Commands>[];

  private constructor(users: number, workers: readonly Child<Commands>[]) {
    this.users = users;
    this.#workers = workers;
  }

  /** Logs nobody in yet. */
  static async start(options: LoadOptions): Promise<Load> {
    const {
      url,
      transport = 'bosh',
      host,
      users,
      wait = 60,
      usersPerProcess = 8_000,
      again = false,
    } = options;
    const count = Math.ceil(users / usersPerProcess);
    const workers = Array.from({ length: count }, () => new Child<Commands>(WORKER));
    await Promise.all(
      workers.map((worker, index) => {
        const first = Math.floor((users * index) / count);
        const share = Math.floor((users * (index + 1)) / count) - first;
        return worker.ask('begin', {
          url,
          transport,
          host,
          users: share,
          first,
          everybody: users,
          wait,
          again,
        });
      }),
    );
    return new Load(users, workers);
  }

  /** Logs the next so many in, rounded up to the same number in each process. Resolves when they are online or have failed. */
  async login(pace: Pace, count = this.users): Promise<void> {
    await this.#all('login', this.#share(pace), Math.ceil(count / this.#workers.length));
  }

  /** Resolves when all have left. */
  async logout(pace: Pace): Promise<void> {
    await this.#all('logout', this.#share(pace));
  }

  /** @param rate messages a second, until `settle`. @param seed of what is random */
  async talk(rate: number, pattern: Pattern = 'next', seed = 1): Promise<void> {
    const count = this.#workers.length;
    const jids = pattern === 'random' && count > 1 ? { jids: (await this.#all('jids')).flat() } : {};
    const begin = nowMicroseconds();
    await Promise.all(
      this.#workers.map((worker, index) =>
        worker.ask('talk', { rate: rate / count, pattern, seed: seed * count + index, begin, ...jids }),
      ),
    );
  }

  /** Sends no more; resolves when all is delivered, or nothing has been for `quietMs`. */
  async settle(quietMs = QUIET_MS): Promise<void> {
    await this.#all('pause');
    let before = -1;
    let last = 0;
    for (;;) {
      const { sent, delivered } = await this.counters();
      if (delivered !== before) last = performance.now();
      before = delivered;
      if (delivered === sent || performance.now() - last > quietMs) return;
      await sleep(POLL_MS);
    }
  }

  async counters(): Promise<Counters> {
    return sum(await this.#all('counters'));
  }

  /**
   * Microseconds since the last time: from due to delivered, and, as a part of it, from due to sent, which is the
   * load generator's own.
   */
  async times(): Promise<{ readonly latencies: Histogram; readonly lags: Histogram }> {
    const total = { latencies: new Histogram(), lags: new Histogram() };
    for (const { latencies, lags } of await this.#all('times')) {
      total.latencies.merge(new Histogram(latencies));
      total.lags.merge(new Histogram(lags));
    }
    return total;
  }

  /** Of all its processes: seconds of processor time since their start, and bytes that are resident. */
  usage(): { readonly cpu: number; readonly memory: number } {
    const total = (of: (pid: number) => number) => this.#workers.reduce((sum, { pid }) => sum + of(pid), 0);
    return { cpu: total(cpuSeconds), memory: total(residentBytes) };
  }

  /** Its processes keep to these cores, written as for taskset(1). */
  pin(cores: string): void {
    for (const { pid } of this.#workers) pinProcess(pid, cores);
  }

  /** Drops all connections. */
  close(): void {
    for (const worker of this.#workers) worker.end();
  }

  #share({ concurrency, perSecond }: Pace): Pace {
    const count = this.#workers.length;
    return { concurrency: Math.ceil(concurrency / count), perSecond: perSecond / count };
  }

  #all<C extends keyof Commands>(
    command: C,
    ...args: Parameters<Commands[C]>
  ): Promise<Awaited<ReturnType<Commands[C]>>[]> {
    return Promise.all(this.#workers.map((worker) => worker.ask(command, ...args)));
  }
}
