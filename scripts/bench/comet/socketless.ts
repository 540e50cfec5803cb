/** Listeners without sockets, in one process: comet, the wire, and a router are what they always are. */

import { setTimeout as sleep } from 'node:timers/promises';
import { Child } from '../../load/child.js';
import { Histogram } from '../../load/histogram.js';
import { residentBytes } from '../../load/linux-process.js';
import { COOKIE, startRouter } from './gateway.js';
import type { Commands } from './socketless-process.js';

const PROGRAM = new URL('./socketless-process.js', import.meta.url);
/** They use up what a process has free after its start. */
const FIRST = 10_000;
const TALK = { messages: 2_000, perSecond: 500 };

export interface Socketless {
  readonly listeners: number;
  /** Bytes for each: of comet with its page, and of the router. */
  readonly comet: number;
  readonly router: number;
  /** Until each has its place. */
  readonly perSecond: number;
  /** Milliseconds from publishing to the page. */
  readonly p99: number;
  /** Of the messages, that never came. */
  readonly missed: number;
}

export async function measureSocketless(
  cores: string,
  listeners: number,
  settleSeconds: number,
): Promise<Socketless> {
  const router = await startRouter(cores);
  const child = new Child<Commands>(PROGRAM, ['--max-old-space-size=8192']);
  const sample = async () => {
    await sleep(settleSeconds * 1000);
    const ofRouter = router.pids().reduce((sum, pid) => sum + residentBytes(pid), 0);
    return { comet: residentBytes(child.pid), router: ofRouter };
  };
  try {
    const { name, endpoint } = router;
    await child.ask('begin', { router: name, endpoint, cookie: COOKIE });
    await child.ask('listen', FIRST);
    const before = await sample();
    const begin = performance.now();
    await child.ask('listen', listeners - FIRST);
    const seconds = (performance.now() - begin) / 1000;
    const after = await sample();
    const latencies = new Histogram(await child.ask('talk', TALK.messages, TALK.perSecond));
    const { begun, messages } = await child.ask('state');
    const each = (bytes: number): number => bytes / (listeners - FIRST);
    return {
      listeners: begun,
      comet: each(after.comet - before.comet),
      router: each(after.router - before.router),
      perSecond: (listeners - FIRST) / seconds,
      p99: latencies.percentile(99) / 1000,
      missed: TALK.messages - messages,
    };
  } finally {
    child.end();
    await router.stop();
  }
}
