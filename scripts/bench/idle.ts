/** How fast users log in when nothing holds them back, and the memory that each takes once idle. */

import { setTimeout as sleep } from 'node:timers/promises';
import { Load } from './load/load.js';
import type { Progress } from './progress.js';
import { type Kind, NAMES, Server } from './server.js';
import { minus, NOTHING, plus, share, type Usage } from './usage.js';

/** Enough to keep both servers busy all the time. */
const FULL = { concurrency: 64, perSecond: Infinity };
/** Slow enough for both not to fall behind. */
const STEADY = { concurrency: 64, perSecond: 200 };

/** A server on which users stay once they have logged in. */
export class IdleSubject {
  readonly kind: Kind;
  readonly #server: Server;
  readonly #progress: Progress;
  readonly #loads: Load[] = [];
  #seconds = 0;
  #logins = 0;
  #cpu = NOTHING;

  private constructor(server: Server, progress: Progress) {
    this.kind = server.kind;
    this.#server = server;
    this.#progress = progress;
  }

  static async start(kind: Kind, progress: Progress): Promise<IdleSubject> {
    progress.say(`${NAMES[kind]}: a fresh node ...`);
    const server = await Server.start(kind);
    await server.warmUp();
    return new IdleSubject(server, progress);
  }

  /** As fast as the server takes them. */
  async logIn(users: number): Promise<void> {
    const load = await this.#crowd(users);
    const [begin, cpu] = [performance.now(), this.#server.cpu()];
    await this.#login(load, FULL);
    this.#seconds += (performance.now() - begin) / 1000;
    this.#cpu = plus(this.#cpu, minus(this.#server.cpu(), cpu));
    this.#logins += users;
  }

  /** Of all rounds. */
  get logins(): { perSecond: number; cpu: Usage } {
    return { perSecond: this.#logins / this.#seconds, cpu: share(this.#cpu, this.#logins) };
  }

  /**
   * Bytes for each of so many users more. Those who are there already have used up what a fresh node has free.
   * @param settleSeconds from the last login to the measurement
   */
  async memoryOf(users: number, settleSeconds: number): Promise<Usage> {
    await sleep(settleSeconds * 1000);
    const before = this.#server.memory();
    const load = await this.#crowd(users);
    await this.#login(load, STEADY);
    await this.#progress.wait(load, settleSeconds);
    const used = share(minus(this.#server.memory(), before), users);
    for (const each of this.#loads) {
      const { online } = await each.counters();
      if (online < each.users) throw new Error(`only ${online} of ${each.users} users stayed online`);
    }
    return used;
  }

  async end(): Promise<void> {
    for (const load of this.#loads) load.close();
    await this.#server.stop();
  }

  async #crowd(users: number): Promise<Load> {
    const load = await Load.start({ url: this.#server.url, host: 'localhost', users });
    this.#loads.push(load);
    return load;
  }

  async #login(load: Load, pace: typeof FULL): Promise<void> {
    const stop = this.#progress.follow(load);
    await load.login(pace);
    stop();
  }
}
