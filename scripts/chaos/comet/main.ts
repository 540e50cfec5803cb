/** make chaos-comet: breaks gateways, links and routers under pages that listen, and says what they missed. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../support/root.js';
import type { Fault, Group } from '../plan.js';
import { BACK, broken, errors, GONE, TIMES, table } from '../table.js';
import { runComet } from './run.js';

const NAMES: Readonly<Partial<Record<Fault, string>>> = {
  'kill-gateway': 'gateway killed (SIGKILL, all of its processes)',
  'stop-gateway': 'gateway stopped (SIGTERM) and started',
  'freeze-gateway': 'gateway frozen (SIGSTOP) for 0.5 to 4 s',
  'kill-worker': 'worker killed',
  'cut-link': 'link cut in the middle of what goes over it',
  'disconnect-link': 'links disconnected by the Erlang node',
  'hold-link': 'link held, one way or both, for 0.5 to 6 s',
  'drop-link': 'bytes dropped, one way or both, then cut',
  'delay-link': 'link slowed down by 100 ms, one way or both',
  'kill-router': "router's processes killed",
  'move-pages': 'a third of the pages away for up to 8 s, then at another gateway',
  'kill-node': 'Erlang node killed (SIGKILL), with its ring',
};
const GROUPS: readonly Group[] = ['gateways', 'links', 'routers', 'pages', 'origins'];

const number = (name: string, byDefault: number): number => {
  const value = Number(process.env[name] ?? byDefault);
  if (!(value >= 0)) throw new Error(`${name}=${process.env[name]}: not a number`);
  return value;
};

const seed = number('CHAOS_SEED', Math.floor(Math.random() * 1e6));
const seconds = number('CHAOS_SECONDS', 120);
const pages = number('PAGES', 90);
const rate = number('RATE', 200);
const nodes = number('NODES', 2);
const gateways = number('GATEWAYS', 2);
const faults = process.env.FAULTS ?? 'gateways,links,routers,pages';
const groups = faults.split(',').map((name): Group => {
  if (!GROUPS.includes(name as Group))
    throw new Error(`FAULTS=${faults}: ${GROUPS.join(', ')} or several of them`);
  return name as Group;
});
const folder = process.env.CHAOS_FOLDER ?? join(root, 'var', 'chaos-comet');
const again = `make chaos-comet CHAOS_SEED=${seed} CHAOS_SECONDS=${seconds} PAGES=${pages} RATE=${rate} NODES=${nodes} GATEWAYS=${gateways} FAULTS=${faults}`;

console.log(again);
const result = await runComet(
  {
    ...{ nodes, gateways, seconds, seed, pages, rate, groups, folder },
    steps: number('CHAOS_STEPS', Infinity),
    ids: Math.max(2, Math.round(pages / 3)),
  },
  (text) => console.log(text),
);
const lines = [
  ...(result.stuck === undefined ? [] : [result.stuck]),
  ...result.lines,
  table(result.crowd.steps, NAMES, [
    TIMES,
    ['lost', broken('lost')],
    GONE,
    ['doubled', broken('doubled')],
    ['out of order', broken('reordered')],
    ['gaps', broken('gap')],
    errors('connections lost'),
    BACK,
  ]),
];
writeFileSync(join(folder, 'report.txt'), `${[again, ...lines, result.lastLine].join('\n')}\n`);
for (const line of lines) console.log(line);
console.log(`History, logs and report: ${folder}`);
console.log(result.lastLine);
process.exit(result.isBroken ? 1 : 0);
