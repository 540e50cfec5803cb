/** Comet on a hidden node of its own, and the pages that it serves, which have no sockets. Does what its parent says. */

import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import { Comet } from '../../../src/comet/comet.js';
import type { Page } from '../../../src/comet/ports.js';
import { Cookie } from '../../../src/node/cookie.js';
import type { Endpoint } from '../../../src/node/epmd-client.js';
import { HiddenNode } from '../../../src/node/hidden-node.js';
import { Counters } from '../../../src/observe/counters.js';
import { serve } from '../../load/child.js';
import { nowMicroseconds } from '../../load/clock.js';
import { Histogram } from '../../load/histogram.js';
import { read, write } from './messages.js';
import { type Event, SseReader } from './sse-reader.js';

export interface Begin {
  readonly router: string;
  readonly endpoint: Endpoint;
  readonly cookie: string;
}

export interface State {
  /** That have their place: the router knows of them. */
  readonly begun: number;
  readonly messages: number;
}

export interface Commands {
  begin(options: Begin): Promise<void>;
  /** So many more pages, each with an id of its own; resolves when each has its place. */
  listen(count: number): Promise<void>;
  /** One message to each of so many pages, chosen evenly, at this rate. Returns the counts of a histogram of microseconds. */
  talk(messages: number, perSecond: number): Promise<readonly number[]>;
  state(): State;
}

const POLL_MS = 20;
const SETTLE_MS = 5_000;
/** In one turn: others have theirs in between. */
const AT_ONCE = 500;
const NO_RING = { count: 64, seconds: 60, bytes: 64 * 1024 * 1024 };

/** All pages of the process are one, as far as what they hear is concerned. */
class Pages {
  readonly #comet: Comet;
  #count = 0;
  #begun = 0;
  #messages = 0;
  #latencies = new Histogram();
  readonly #hear = (event: Event): void => this.#heard(event);

  constructor(comet: Comet) {
    this.#comet = comet;
  }

  async listen(count: number): Promise<void> {
    const until = this.#count + count;
    while (this.#count < until) {
      for (let left = Math.min(AT_ONCE, until - this.#count); left > 0; left -= 1) {
        this.#count += 1;
        this.#comet.listen(new SocketlessPage(this), [String(this.#count)], undefined);
      }
      await new Promise(setImmediate);
    }
    while (this.#begun < until) await sleep(POLL_MS);
  }

  wrote(bytes: Buffer): void {
    const reader = new SseReader();
    reader.push(`HTTP/1.1 200 OK\r\n\r\n${bytes.toString('latin1')}`, this.#hear);
  }

  #heard({ data }: Event): void {
    const message = data === undefined ? undefined : read(data);
    if (message === undefined) this.#begun += 1;
    else {
      this.#messages += 1;
      this.#latencies.add(nowMicroseconds() - message.at);
    }
  }

  async talk(messages: number, perSecond: number): Promise<readonly number[]> {
    this.#latencies = new Histogram();
    const expected = this.#messages + messages;
    const begin = performance.now();
    const stride = Math.max(1, Math.floor(this.#count / messages));
    for (let index = 0; index < messages; index += 1) {
      await sleep(Math.max(0, begin + (index * 1000) / perSecond - performance.now()));
      const id = String(1 + ((index * stride) % this.#count));
      await this.#comet.publish([{ ids: [id], body: Buffer.from(write(1)), meta: {} }]);
    }
    const end = performance.now() + SETTLE_MS;
    while (this.#messages < expected && performance.now() < end) await sleep(POLL_MS);
    return this.#latencies.counts;
  }

  get state(): State {
    return { begun: this.#begun, messages: this.#messages };
  }
}

class SocketlessPage implements Page {
  readonly form = 'sse';
  readonly #pages: Pages;

  constructor(pages: Pages) {
    this.#pages = pages;
  }

  write(bytes: Buffer): void {
    this.#pages.wrote(bytes);
  }
}

async function start({ router, endpoint, cookie }: Begin): Promise<Pages> {
  const node = await HiddenNode.start({
    name: `socketless_${process.pid}@localhost`,
    cookie: new Cookie(cookie),
    epmd: false,
  });
  const nodes = [{ name: router, endpoint }];
  const comet = new Comet(
    node,
    { nodes, ring: NO_RING, processes: 1 },
    new Counters(),
    pino({ level: 'warn' }),
  );
  setInterval(() => comet.tick(process.uptime()), 1000);
  comet.connect();
  while (!comet.gauges().routers.some(({ state }) => state === 'welcome')) await sleep(POLL_MS);
  return new Pages(comet);
}

let begun: Pages | undefined;

function pages(): Pages {
  if (begun === undefined) throw new Error('begin comes first');
  return begun;
}

const commands: Commands = {
  begin: async (options) => {
    begun = await start(options);
  },
  listen: (count) => pages().listen(count),
  talk: (messages, perSecond) => pages().talk(messages, perSecond),
  state: () => pages().state,
};

serve(commands);
