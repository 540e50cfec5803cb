/** What happens for a message or a login, counted: processor time follows from it, and ratios explain themselves by it. */

import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { Tuple } from '../../../src/etf/terms.js';
import { wakeUps } from '../../load/linux-process.js';
import type { Server } from './server.js';

/** What grows all the time; "in front" is the gateway, or haproxy. Only Erlang tells some of them. */
const TOTALS = {
  requests: 'requests or frames of the clients',
  bytesIn: 'server: bytes read, also from the gateway',
  bytesOut: '— bytes written, likewise',
  schedulings: '— times that a process was scheduled in',
  reductions: '— reductions',
  collections: '— garbage collections',
  serverWakeUps: '— threads woken',
  frontWakeUps: 'in front: threads woken',
} as const;
/** What the kernel counts only when told to. */
const CALLS = { serverCalls: 'server: system calls', frontCalls: 'in front: system calls' } as const;

/** What they are called. */
export const COUNTS = { ...TOTALS, ...CALLS };
export type Count = keyof typeof COUNTS;
/** For each message or login. */
export type Counts = Readonly<Partial<Record<Count, number>>>;
export type Totals = Readonly<Record<keyof typeof TOTALS, number>>;

export async function totalsOf(server: Server, requests: number): Promise<Totals> {
  const [reductions, schedulings, collections, io] = await Promise.all(
    ['reductions', 'context_switches', 'garbage_collection', 'io'].map((item) => server.statistics(item)),
  );
  const [bytesIn, bytesOut] = (io ?? []).map((pair) =>
    pair instanceof Tuple ? Number(pair.elements[1]) : Number.NaN,
  );
  const woken = server.usage(wakeUps);
  return {
    requests,
    reductions: Number(reductions?.[0]),
    schedulings: Number(schedulings?.[0]),
    collections: Number(collections?.[0]),
    bytesIn: bytesIn ?? Number.NaN,
    bytesOut: bytesOut ?? Number.NaN,
    serverWakeUps: woken.server,
    frontWakeUps: woken.front,
  };
}

const run = promisify(execFile);

/** System calls a second, within so many, as perf(1) counts them; none where it is missing or may not. */
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
    const [serverCalls, frontCalls] = await Promise.all([of([server.pid]), of(server.frontPids)]);
    return { serverCalls: serverCalls / seconds, frontCalls: frontCalls / seconds };
  } catch {
    return {};
  }
}

export function countsBetween(begin: Totals, end: Totals, times: number): Counts {
  const names = Object.keys(TOTALS) as (keyof Totals)[];
  return Object.fromEntries(names.map((name) => [name, (end[name] - begin[name]) / times]));
}
