/** A load generator: real BOSH users in as many processes as their connections need, seen as one crowd. */

import { type ChildProcess, fork } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { type Counters, sum } from './counters.js';
import type { Pace } from './crowd.js';
import { Histogram } from './histogram.js';
import type { Commands, Reply, Request } from './worker.js';

/** Each has up to two connections, and a process usually up to 20,000 files. */
const USERS_PER_PROCESS = 8_000;
/** Longer than the kernel takes to try again where a server did not accept a connection. */
const SETTLE_MS = 10_000;
const WORKER = fileURLToPath(new URL('./worker.js', import.meta.url));

export interface LoadOptions {
  readonly url: string;
  /** The virtual host, which must allow anonymous logins. */
  readonly host: string;
  readonly users: number;
}

export class Load {
  readonly users: number;
  readonly #workers: readonly Worker[];

  private constructor(users: number, workers: readonly Worker[]) {
    this.users = users;
    this.#workers = workers;
  }

  /** Logs nobody in yet. */
  static async start({ url, host, users }: LoadOptions): Promise<Load> {
    const count = Math.ceil(users / USERS_PER_PROCESS);
    const isLoopback = new URL(url).hostname.startsWith('127.');
    const workers = Array.from({ length: count }, (_, index) => ({
      worker: new Worker(),
      options: {
        url,
        host,
        users: Math.floor(users / count) + (index < users % count ? 1 : 0),
        // All of 127.0.0.0/8 is this machine's: each address has some 28,000 ports for outgoing connections.
        ...(isLoopback ? { localAddress: `127.0.1.${index + 1}` } : {}),
      },
    }));
    await Promise.all(workers.map(({ worker, options }) => worker.ask('begin', options)));
    return new Load(
      users,
      workers.map(({ worker }) => worker),
    );
  }

  /** Resolves when all are online or have failed. */
  async login(pace: Pace): Promise<void> {
    await this.#all('login', this.#share(pace));
  }

  /** Resolves when all have left. */
  async logout(pace: Pace): Promise<void> {
    await this.#all('logout', this.#share(pace));
  }

  /** @param rate messages a second, until `settle` */
  async talk(rate: number): Promise<void> {
    await this.#all('talk', rate / this.#workers.length);
  }

  /** Sends no more; resolves when all is delivered, or nothing has been for a while. */
  async settle(): Promise<void> {
    await this.#all('pause');
    let before = -1;
    for (;;) {
      const { sent, delivered } = await this.counters();
      if (delivered === sent || delivered === before) return;
      before = delivered;
      await sleep(SETTLE_MS);
    }
  }

  async counters(): Promise<Counters> {
    return sum(await this.#all('counters'));
  }

  /** Microseconds from due to delivered, of what was delivered since the last time. */
  async latencies(): Promise<Histogram> {
    const total = new Histogram();
    for (const counts of await this.#all('latencies')) total.merge(new Histogram(counts));
    return total;
  }

  /** Drops all connections. */
  close(): void {
    for (const worker of this.#workers) worker.end();
  }

  #share({ concurrency, perSecond }: Pace): Pace {
    const count = this.#workers.length;
    return { concurrency: Math.ceil(concurrency / count), perSecond: perSecond / count };
  }

  #all<C extends keyof Commands>(command: C, ...args: Parameters<Commands[C]>): Promise<Result<C>[]> {
    return Promise.all(this.#workers.map((worker) => worker.ask(command, ...args)));
  }
}

type Result<C extends keyof Commands> = Awaited<ReturnType<Commands[C]>>;

class Worker {
  readonly #process: ChildProcess = fork(WORKER);
  readonly #pending = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>();
  #lastId = 0;

  constructor() {
    this.#process.on('message', ({ id, result }: Reply) => {
      this.#pending.get(id)?.resolve(result);
      this.#pending.delete(id);
    });
    this.#process.once('exit', (code, signal) => {
      const error = new Error(`a process of the load generator ended (${signal ?? code})`);
      for (const { reject } of this.#pending.values()) reject(error);
    });
  }

  ask<C extends keyof Commands>(command: C, ...args: Parameters<Commands[C]>): Promise<Result<C>> {
    this.#lastId += 1;
    const request: Request = { id: this.#lastId, command, args };
    return new Promise((resolve, reject) => {
      this.#pending.set(request.id, { resolve: resolve as (result: unknown) => void, reject });
      this.#process.send(request, (error) => error && reject(error));
    });
  }

  end(): void {
    this.#process.kill('SIGKILL');
  }
}
