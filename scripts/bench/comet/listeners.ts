/** Listeners in as many processes as their connections need, seen as one crowd. */

import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from '../../load/child.js';
import { Histogram } from '../../load/histogram.js';
import type { Begin, Commands, State } from './listener-process.js';

/** A process may have 20,000 files on many machines. */
const PER_PROCESS = 17_000;
const PROGRAM = new URL('./listener-process.js', import.meta.url);
const POLL_MS = 5;
const PATIENCE_MS = 5_000;
/** Pushpin answers some of more with 502: its proxy queues a hundred requests to the server behind it. */
const AT_ONCE = 64;

export interface Options {
  readonly urls: readonly string[];
  /** How many there will be at most. */
  readonly most: number;
  /** All follow this one; without it each its own, from 1 on. */
  readonly id?: string;
  readonly comesBack?: boolean;
  /** Processes, at least. */
  readonly processes?: number;
}

export class Listeners {
  readonly #children: readonly Child<Commands>[];

  private constructor(children: readonly Child<Commands>[]) {
    this.#children = children;
  }

  /** Opens none yet. */
  static async start({ urls, most, id, comesBack = false, processes = 1 }: Options): Promise<Listeners> {
    const count = Math.max(processes, Math.ceil(most / PER_PROCESS));
    const children = Array.from({ length: count }, () => new Child<Commands>(PROGRAM));
    const ids = (index: number): Begin['ids'] =>
      id === undefined ? { first: 1 + Math.ceil(most / count) * index } : { one: id };
    await Promise.all(
      children.map((child, index) => child.ask('begin', { urls, ids: ids(index), comesBack })),
    );
    return new Listeners(children);
  }

  /**
   * @param count so many more, or a few more: the same number in each process
   * @returns seconds
   * @throws Error where some could not
   */
  async open(count: number, atOnce = AT_ONCE): Promise<number> {
    const begin = performance.now();
    const share = (of: number): number => Math.ceil(of / this.#children.length);
    await Promise.all(this.#children.map((child) => child.ask('open', share(count), share(atOnce))));
    const { failed } = await this.state();
    if (Object.keys(failed).length > 0) throw new Error(`listeners failed: ${JSON.stringify(failed)}`);
    return (performance.now() - begin) / 1000;
  }

  async state(): Promise<State> {
    const states = await Promise.all(this.#children.map((child) => child.ask('state')));
    return states.reduce(sum);
  }

  /**
   * Waits until `count` of them have the message with this number, or no more of them get it.
   * @returns how many have it
   */
  async have(number: number, count: number): Promise<number> {
    let before = 0;
    let last = performance.now();
    for (;;) {
      const counts = await Promise.all(this.#children.map((child) => child.ask('arrived', number)));
      const arrived = counts.reduce((total, one) => total + one, 0);
      if (arrived > before) last = performance.now();
      if (arrived >= count || performance.now() - last > PATIENCE_MS) return arrived;
      before = arrived;
      await sleep(POLL_MS);
    }
  }

  /** How many have all messages up to this number, after so many seconds at most. */
  async complete(number: number, count: number, seconds: number): Promise<number> {
    const end = performance.now() + seconds * 1000;
    for (;;) {
      const counts = await Promise.all(this.#children.map((child) => child.ask('complete', number)));
      const complete = counts.reduce((total, one) => total + one, 0);
      if (complete >= count || performance.now() > end) return complete;
      await sleep(POLL_MS * 20);
    }
  }

  /** Microseconds from publishing to arrival, since it was asked last. */
  async latencies(): Promise<Histogram> {
    const total = new Histogram();
    for (const child of this.#children) total.merge(new Histogram(await child.ask('latencies')));
    return total;
  }

  close(): void {
    for (const child of this.#children) child.end();
  }
}

export function sum(a: State, b: State): State {
  const failed: Record<string, number> = { ...a.failed };
  for (const [error, count] of Object.entries(b.failed)) failed[error] = (failed[error] ?? 0) + count;
  return {
    open: a.open + b.open,
    messages: a.messages + b.messages,
    lost: a.lost + b.lost,
    doubled: a.doubled + b.doubled,
    gaps: a.gaps + b.gaps,
    cameBack: a.cameBack + b.cameBack,
    failed,
  };
}
