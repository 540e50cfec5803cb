/** A process with thousands of listeners. Does what its parent says. */

import { serve } from '../../load/child.js';
import { Target } from '../../load/client-socket.js';
import { Histogram } from '../../load/histogram.js';
import { type Crowd, Listener } from './listener.js';
import type { Message } from './messages.js';

export interface Begin {
  /** Up to the id, which is appended. Several: whoever is cut off comes back to the next one. */
  readonly urls: readonly string[];
  /** The number of the first id, or the id of all. */
  readonly ids: { readonly first: number } | { readonly one: string };
  /** Whoever is cut off comes back, with its place. */
  readonly comesBack: boolean;
}

export interface State {
  readonly open: number;
  readonly messages: number;
  /** Numbers that were left out, and those that came again, or late. */
  readonly lost: number;
  readonly doubled: number;
  readonly gaps: number;
  readonly cameBack: number;
  /** Listeners that are gone for good, and why. */
  readonly failed: Readonly<Record<string, number>>;
}

export interface Commands {
  begin(options: Begin): void;
  /** Opens so many more; resolves when each is open, or failed. */
  open(count: number, atOnce: number): Promise<void>;
  state(): State;
  /** How many have the message with this number. */
  arrived(number: number): number;
  /** How many have all up to this number. */
  complete(number: number): number;
  /** Microseconds from publishing to arrival, of all messages since it was asked last: the counts of a histogram. */
  latencies(): readonly number[];
}

const BACK_AFTER_MS = 50;

class Listeners implements Crowd {
  readonly #options: Begin;
  readonly #targets: readonly Target[];
  readonly #paths: readonly string[];
  readonly #listeners: Listener[] = [];
  readonly #arrivals = new Map<number, number>();
  readonly #failed: Record<string, number> = {};
  #latencies = new Histogram();
  #openings = 0;
  #open = 0;
  #messages = 0;
  #lost = 0;
  #doubled = 0;
  #gaps = 0;
  #cameBack = 0;
  #done = (): void => {};

  constructor(options: Begin) {
    this.#options = options;
    const [first, ...others] = options.urls.map((url) => new Target(url));
    if (first === undefined) throw new Error('no URL');
    // One pool of source ports: two of them would take the same ones.
    this.#targets = [first, ...others.map((target) => Object.assign(target, { sources: first.sources }))];
    this.#paths = options.urls.map((url) => new URL(url).pathname);
  }

  async open(count: number, atOnce: number): Promise<void> {
    for (let left = count; left > 0; left -= 1) {
      while (this.#openings >= atOnce) await this.#oneIsDone();
      const { ids } = this.#options;
      const id = 'one' in ids ? ids.one : String(ids.first + this.#listeners.length);
      const listener = new Listener(this, `${this.#paths[0]}${id}`);
      this.#listeners.push(listener);
      this.#openings += 1;
      listener.open();
    }
    while (this.#openings > 0) await this.#oneIsDone();
  }

  #oneIsDone(): Promise<void> {
    return new Promise((resolve) => {
      this.#done = resolve;
    });
  }

  target(attempt: number): Target {
    const target = this.#targets[attempt % this.#targets.length];
    if (target === undefined) throw new Error('unreachable: there is at least one');
    return target;
  }

  opened(): void {
    this.#open += 1;
    this.#openings -= 1;
    this.#done();
  }

  closed(listener: Listener, error: string): void {
    const wasOpen = listener.isOpen;
    if (wasOpen) this.#open -= 1;
    if (this.#options.comesBack) {
      if (wasOpen) this.#openings += 1;
      this.#cameBack += 1;
      setTimeout(() => listener.open(), BACK_AFTER_MS);
      return;
    }
    if (!wasOpen) this.#openings -= 1;
    this.#failed[error] = (this.#failed[error] ?? 0) + 1;
    this.#done();
  }

  heard({ number, at: published }: Message, last: number, at: number): void {
    this.#messages += 1;
    if (number <= last) this.#doubled += 1;
    else this.#lost += number - last - 1;
    this.#latencies.add(at - published);
    this.#arrivals.set(number, this.arrived(number) + 1);
  }

  gap(): void {
    this.#gaps += 1;
  }

  state(): State {
    return {
      open: this.#open,
      messages: this.#messages,
      lost: this.#lost,
      doubled: this.#doubled,
      gaps: this.#gaps,
      cameBack: this.#cameBack,
      failed: this.#failed,
    };
  }

  arrived = (number: number): number => this.#arrivals.get(number) ?? 0;

  complete = (number: number): number => this.#listeners.filter(({ last }) => last >= number).length;

  latencies(): readonly number[] {
    const { counts } = this.#latencies;
    this.#latencies = new Histogram();
    return counts;
  }
}

let begun: Listeners | undefined;

function listeners(): Listeners {
  if (begun === undefined) throw new Error('begin comes first');
  return begun;
}

const commands: Commands = {
  begin: (options) => {
    begun = new Listeners(options);
  },
  open: (count, atOnce) => listeners().open(count, atOnce),
  state: () => listeners().state(),
  arrived: (number) => listeners().arrived(number),
  complete: (number) => listeners().complete(number),
  latencies: () => listeners().latencies(),
};

serve(commands);
