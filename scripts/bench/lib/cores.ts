/**
 * Who runs on which cores. CORES=n: ejabberd and what stands in front of it share the first n that this process may use.
 * The load generator and the benchmark itself have the others to themselves, or share those n where there are no more.
 */

import { readFileSync } from 'node:fs';
import { pinProcess } from '../../load/linux-process.js';
import { numberFrom } from './environment.js';

export interface Cores {
  /** How many the servers have. */
  readonly count: number;
  /** Written as for taskset(1). */
  readonly servers: string;
  readonly load: string;
  readonly areShared: boolean;
}

/** Takes this process to the cores of the load generator. */
export function assignCores(): Cores {
  const [, list = '0'] = /^Cpus_allowed_list:\s+(.*)$/m.exec(readFileSync('/proc/self/status', 'utf8')) ?? [];
  const all = expand(list);
  const count = numberFrom('CORES', all.length, 1, all.length);
  const areShared = count === all.length;
  const servers = all.slice(0, count).join(',');
  const load = areShared ? servers : all.slice(count).join(',');
  pinProcess(process.pid, load);
  return { count, servers, load, areShared };
}

/** `0-2,5` as four numbers. */
const expand = (list: string): number[] =>
  list.split(',').flatMap((part) => {
    const [from = 0, to = from] = part.split('-').map(Number);
    return Array.from({ length: to - from + 1 }, (_, index) => from + index);
  });

export const describeCores = ({ count, areShared }: Cores): string =>
  `${count} cores for the servers, ${areShared ? 'shared with the load generator' : 'others for the load generator'}`;
