/** How fast users log in when nothing holds them back, and the memory that each takes once idle. */

import { setTimeout as sleep } from 'node:timers/promises';
import { Load, type Pace } from '../../load/load.js';
import type { Progress } from '../../load/progress.js';
import { type Kind, NAMES, Server } from '../lib/server.js';
import { minus, NOTHING, plus, share, type Usage } from '../lib/usage.js';

/** Enough to keep both servers busy all the time. */
const FULL = { concurrency: 64, perSecond: Infinity };
/** Slow enough for both not to fall behind. */
const STEADY = { concurrency: 64, perSecond: 200 };

/** Logins of which the machine code of all parts is made. */
const WARM_UP = 300;

/** A server on which users stay once they have logged in. */
export class IdleSubject {
  readonly kind: Kind;
  readonly #server: Server;
  readonly #progress: Progress;
  /** Whose logins are timed, in one process that has warmed up. */
  readonly #timed: Load;
  readonly #loads: Load[];
  #seconds = 0;
  #logins = 0;
  #cpu = NOTHING;
  #loadCpu = 0;

  private constructor(kind: Kind, server: Server, timed: Load, progress: Progress) {
    this.kind = kind;
    this.#server = server;
    this.#timed = timed;
    this.#loads = [timed];
    this.#progress = progress;
  }

  /** @param users how many logins there will be to time */
  static async start(kind: Kind, users: number, progress: Progress): Promise<IdleSubject> {
    progress.say(`${NAMES[kind]}: a fresh node ...`);
    const server = await Server.start(kind);
    const timed = await Load.start({ url: server.url, host: 'localhost', users: WARM_UP + users });
    const subject = new IdleSubject(kind, server, timed, progress);
    await subject.#login(timed, FULL, WARM_UP);
    return subject;
  }

  /** The next so many of the users whose logins are timed, as fast as the server takes them. */
  async logIn(users: number): Promise<void> {
    const load = this.#timed;
    const [begin, cpu, loadCpu] = [performance.now(), this.#server.cpu(), load.usage().cpu];
    await this.#login(load, FULL, users);
    this.#seconds += (performance.now() - begin) / 1000;
    this.#cpu = plus(this.#cpu, minus(this.#server.cpu(), cpu));
    this.#loadCpu += load.usage().cpu - loadCpu;
    this.#logins += users;
  }

  /** Of all rounds. */
  get logins(): { perSecond: number; cpu: Usage; loadCpu: number } {
    return {
      perSecond: this.#logins / this.#seconds,
      cpu: share(this.#cpu, this.#logins),
      loadCpu: this.#loadCpu / this.#logins,
    };
  }

  /**
   * Bytes for each of so many users more. Those who are there already have used up what a fresh node has free.
   * @param settleSeconds from the last login to the measurement
   */
  async memoryOf(users: number, settleSeconds: number): Promise<Usage> {
    await sleep(settleSeconds * 1000);
    const before = this.#server.memory();
    const load = await Load.start({ url: this.#server.url, host: 'localhost', users });
    this.#loads.push(load);
    await this.#login(load, STEADY, users);
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

  async #login(load: Load, pace: Pace, users: number): Promise<void> {
    const stop = this.#progress.follow(load);
    await load.login(pace, users);
    stop();
  }
}
