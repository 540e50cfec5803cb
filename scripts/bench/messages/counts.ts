/** What happens for a message, counted: processor time follows from it, and ratios explain themselves by it. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { atom, type Term, Tuple } from '../../../src/etf/terms.js';
import { wakeUps } from '../../load/linux-process.js';
import type { Server } from '../lib/server.js';

const TIMEOUT_MS = 60_000;

/** Each counts up. `front` is the gateway, or haproxy. */
export const COUNTS = [
  'requests',
  'reductions',
  'schedulings',
  'collections',
  'bytesIn',
  'bytesOut',
  'ejabberdWakeUps',
  'frontWakeUps',
] as const;
/** Those that the kernel counts only when told to. */
export const CALLS = ['ejabberdCalls', 'frontCalls'] as const;
export type Count = (typeof COUNTS)[number] | (typeof CALLS)[number];
export type Counts = Readonly<Partial<Record<Count, number>>>;

export const LABELS: Readonly<Record<Count, string>> = {
  requests: 'HTTP requests of the clients',
  reductions: 'ejabberd: reductions',
  schedulings: '— processes scheduled in',
  collections: '— garbage collections',
  bytesIn: '— bytes read, also from the gateway',
  bytesOut: '— bytes written, likewise',
  ejabberdWakeUps: '— threads woken',
  ejabberdCalls: '— system calls',
  frontWakeUps: 'In front: threads woken',
  frontCalls: '— system calls',
};

export async function countsOf(
  server: Server,
  requests: number,
): Promise<Required<Omit<Counts, 'ejabberdCalls' | 'frontCalls'>>> {
  const statistics = async (item: string): Promise<readonly Term[]> => {
    const value = await server.probe.rpc(server.ejabberd, 'erlang', 'statistics', [atom(item)], TIMEOUT_MS);
    return value instanceof Tuple ? value.elements : [];
  };
  const [reductions, schedulings, collections, io] = await Promise.all(
    ['reductions', 'context_switches', 'garbage_collection', 'io'].map(statistics),
  );
  const [bytesIn, bytesOut] = (io ?? []).map((pair) =>
    pair instanceof Tuple ? Number(pair.elements[1]) : 0,
  );
  const woken = server.usage(wakeUps);
  return {
    requests,
    reductions: Number(reductions?.[0]),
    schedulings: Number(schedulings?.[0]),
    collections: Number(collections?.[0]),
    bytesIn: bytesIn ?? 0,
    bytesOut: bytesOut ?? 0,
    ejabberdWakeUps: woken.ejabberd,
    frontWakeUps: woken.gateway,
  };
}

const run = promisify(execFile);

/** System calls within so many seconds, as perf(1) counts them; none where it is missing or may not. */
export async function systemCalls(server: Server, seconds: number): Promise<Counts> {
  const of = async (pids: readonly number[]): Promise<number> => {
    if (pids.length === 0) return 0;
    const args = [
      'stat',
      '-x,',
      '-e',
      'raw_syscalls:sys_enter',
      '-p',
      pids.join(),
      '--',
      'sleep',
      String(seconds),
    ];
    const { stderr } = await run('perf', args);
    return Number(/^(\d+),/m.exec(stderr)?.[1]);
  };
  try {
    const [ejabberdCalls, frontCalls] = await Promise.all([of([server.ejabberdPid]), of(server.frontPids)]);
    return { ejabberdCalls, frontCalls };
  } catch {
    return {};
  }
}
