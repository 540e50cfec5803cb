/** The measurements that all three are put to. Each has a fresh server. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Child } from '../../load/child.js';
import { median } from '../lib/rounds.js';
import { kernelBytes } from './kernel-memory.js';
import { Listeners } from './listeners.js';
import { startPublisher } from './publisher.js';
import type { Commands } from './publisher-process.js';
import { steered } from './steering.js';
import { cpuOf, memoryOf, type Subject } from './subject.js';

const SETTLE_MS = 3_000;
/** They load all code. */
const FEW = 100;
const MOST = 0.99;
const ONE = 'everybody';
const WARM_UP = 3;

export interface Memory {
  /** Bytes for one listener: of the server, and of the kernel for both ends of the connection. */
  readonly server: number;
  readonly kernel: number;
}

/** What each of `count` adds to a server that has hardly any: as much as there is of them, and of what V8 keeps free. */
export async function measureMemory(subject: Subject, count: number, settleSeconds: number): Promise<Memory> {
  const listeners = await Listeners.start({ urls: [subject.url], most: count });
  try {
    const sample = async (seconds: number) => {
      // V8 gives back what opening took when it has seen that little goes on: within a minute.
      await sleep(seconds * 1000);
      return { server: memoryOf(subject), kernel: kernelBytes() };
    };
    await listeners.open(FEW);
    const before = await sample(settleSeconds / 3);
    await listeners.open(count - FEW);
    const after = await sample(settleSeconds);
    const { open } = await listeners.state();
    // Pushpin loses some.
    if (open < count * MOST) throw new Error(`${subject.name}: ${open} of ${count} listeners are there`);
    const each = (bytes: number): number => bytes / (open - FEW);
    return {
      server: each(after.server - before.server),
      kernel: each(after.kernel - before.kernel),
    };
  } finally {
    listeners.close();
  }
}

export interface FanOut {
  readonly listeners: number;
  /** Deliveries in one second of processor time, system's included, of all the server's processes. */
  readonly perCore: number;
  /** Deliveries a second, from publishing to the last listener, of the median message. */
  readonly perSecond: number;
  /** Milliseconds until the last of all listeners had it: of the median message, and of the slowest. */
  readonly last: number;
  readonly slowest: number;
  /** Deliveries that did not come. */
  readonly missed: number;
}

/** Of the same listeners: with their half of the kernel's work on the cores of the load generator, and as it comes. */
export interface FanOuts {
  /** `undefined`: only root may tell the kernel so. */
  readonly steered: FanOut | undefined;
  readonly plain: FanOut;
}

/**
 * One message after the other to all of `count` listeners of one id.
 * @param load the load generator's cores, written as for taskset(1)
 */
export async function measureFanOut(
  subject: Subject,
  count: number,
  messages: number,
  load: string,
): Promise<FanOuts> {
  const listeners = await Listeners.start({ urls: [subject.url], most: count, id: ONE, processes: 2 });
  const publisher = await startPublisher(subject, { one: ONE });
  try {
    await listeners.open(count);
    await sleep(SETTLE_MS);
    // The first ones find cold code.
    const fanOut = new FanOutRun(subject, listeners, publisher);
    await fanOut.send(WARM_UP);
    const { result, isSteered } = await steered(load, () => fanOut.send(messages));
    return { steered: isSteered ? result : undefined, plain: await fanOut.send(messages) };
  } finally {
    publisher.end();
    listeners.close();
  }
}

class FanOutRun {
  readonly #subject: Subject;
  readonly #listeners: Listeners;
  readonly #publisher: Child<Commands>;
  #number = 0;

  constructor(subject: Subject, listeners: Listeners, publisher: Child<Commands>) {
    this.#subject = subject;
    this.#listeners = listeners;
    this.#publisher = publisher;
  }

  async send(messages: number): Promise<FanOut> {
    const { open } = await this.#listeners.state();
    const times: number[] = [];
    let missed = 0;
    const cpu = cpuOf(this.#subject);
    for (let left = messages; left > 0; left -= 1) {
      this.#number += 1;
      await this.#publisher.ask('publish', 1, 1, 1);
      missed += open - (await this.#listeners.have(this.#number, open));
      times.push((await this.#listeners.latencies()).percentile(100) / 1000);
    }
    const used = cpuOf(this.#subject) - cpu;
    const last = median(times);
    return {
      listeners: open,
      missed,
      perCore: (open * messages - missed) / used,
      perSecond: (open * 1000) / last,
      last,
      slowest: Math.max(...times),
    };
  }
}

export interface Rate {
  readonly perSecond: number;
  /** In one second of processor time of the server. */
  readonly perCore: number;
}

/** Messages over HTTP to `ids` ids, each with one listener; all of them must arrive. */
export async function measurePublishing(
  subject: Subject,
  ids: number,
  messages: number,
  batch: number,
  atOnce: number,
): Promise<Rate> {
  const listeners = await Listeners.start({ urls: [subject.url], most: ids });
  const publisher = await startPublisher(subject, { first: 1, count: ids });
  const each = Math.ceil(messages / ids);
  try {
    await listeners.open(ids);
    await sleep(SETTLE_MS);
    await publisher.ask('publish', ids, batch, atOnce);
    await listeners.complete(1, ids, 10);
    const cpu = cpuOf(subject);
    const begin = performance.now();
    await publisher.ask('publish', each * ids, batch, atOnce);
    await listeners.complete(1 + each, ids, 60);
    const seconds = (performance.now() - begin) / 1000;
    const used = cpuOf(subject) - cpu;
    // Requests that are under way at once have no order.
    const { messages: came } = await listeners.state();
    if (came !== ids * (1 + each))
      throw new Error(`${subject.name}: ${came} of ${ids * (1 + each)} messages came`);
    return { perSecond: (each * ids) / seconds, perCore: (each * ids) / used };
  } finally {
    publisher.end();
    listeners.close();
  }
}

/** New listeners, each with an id of its own, until each has its answer. */
export async function measureOpening(subject: Subject, count: number): Promise<Rate> {
  const first = Math.ceil(count / 10);
  const listeners = await Listeners.start({ urls: [subject.url], most: count + first, processes: 2 });
  try {
    await listeners.open(first);
    const cpu = cpuOf(subject);
    const seconds = await listeners.open(count);
    return { perSecond: count / seconds, perCore: count / (cpuOf(subject) - cpu) };
  } finally {
    listeners.close();
  }
}
