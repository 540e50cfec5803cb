/** What the gateway alone is put to: many real connections in several workers, and a gateway that is killed. A router is there, on the same cores. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Cores } from '../lib/cores.js';
import { startGateway, startRouter } from './gateway.js';
import { kernelBytes } from './kernel-memory.js';
import { Listeners } from './listeners.js';
import { type FanOuts, type Memory, measureFanOut } from './measure.js';
import { startPublisher } from './publisher.js';
import { memoryOf, type Subject } from './subject.js';

/** Less than the files that a process may open on many machines: the kernel does not share connections out evenly. */
const PER_WORKER = 15_000;
const SETTLE_MS = 5_000;
const BATCH = 100;
const AT_ONCE = 4;
const OPENINGS = 256;

async function withWorkers<T>(
  cores: string,
  connections: number,
  measure: (gateway: Subject, workers: number) => Promise<T>,
): Promise<T> {
  const router = await startRouter(cores);
  const workers = Math.ceil(connections / PER_WORKER);
  const gateway = await startGateway({ cores, workers, router });
  try {
    return await measure(gateway, workers);
  } finally {
    await gateway.stop();
    await router.stop();
  }
}

export const measureBroadcast = (
  cores: Cores,
  listeners: number,
  messages: number,
): Promise<FanOuts & { workers: number }> =>
  withWorkers(cores.servers, listeners, async (gateway, workers) => ({
    workers,
    ...(await measureFanOut(gateway, listeners, messages, cores.load)),
  }));

export interface Held extends Memory {
  readonly connections: number;
  readonly workers: number;
  readonly openedPerSecond: number;
}

/** Each with an id of its own; a message comes to each of them. */
export const measureHeld = (cores: string, connections: number, settleSeconds: number): Promise<Held> =>
  withWorkers(cores, connections, async (gateway, workers) => {
    const listeners = await Listeners.start({ urls: [gateway.url], most: connections });
    const publisher = await startPublisher(gateway, { first: 1, count: connections });
    try {
      const sample = () => ({
        server: memoryOf(gateway),
        kernel: kernelBytes(),
      });
      await sleep(SETTLE_MS);
      const before = sample();
      const seconds = await listeners.open(connections, OPENINGS);
      await sleep(settleSeconds * 1000);
      const after = sample();
      await publisher.ask('publish', connections, BATCH, AT_ONCE);
      const whole = await listeners.complete(1, connections, 60);
      return {
        connections: whole,
        workers,
        openedPerSecond: connections / seconds,
        server: (after.server - before.server) / connections,
        kernel: (after.kernel - before.kernel) / connections,
      };
    } finally {
      publisher.end();
      listeners.close();
    }
  });

export interface Killed {
  readonly listeners: number;
  /** That have every message, in the end. */
  readonly whole: number;
  readonly cameBack: number;
  readonly lost: number;
  readonly doubled: number;
  readonly gaps: number;
}

/** One of two gateways is killed, with all listeners, under two messages a second to each. */
export async function measureKilled(cores: string, count: number): Promise<Killed> {
  const router = await startRouter(cores);
  const gateways = [
    await startGateway({ cores, router, name: 'one' }),
    await startGateway({ cores, router, name: 'two' }),
  ] as const;
  const [one, two] = gateways;
  const listeners = await Listeners.start({ urls: [one.url, two.url], most: count, comesBack: true });
  const publisher = await startPublisher(two, { first: 1, count });
  try {
    await listeners.open(count);
    await sleep(SETTLE_MS);
    await publisher.ask('pace', 2);
    await sleep(SETTLE_MS / 2);
    await one.stop();
    await sleep(SETTLE_MS);
    const last = await publisher.ask('stop');
    const whole = await listeners.complete(last, count, 20);
    const { cameBack, lost, doubled, gaps } = await listeners.state();
    return { listeners: count, whole, cameBack, lost, doubled, gaps };
  } finally {
    publisher.end();
    listeners.close();
    await two.stop();
    await one.stop();
    await router.stop();
  }
}
