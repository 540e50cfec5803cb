/** make chaos: breaks a cluster under people who write to each other, and says what they noticed. */

import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../support/root.js';
import type { Nemesis } from './nemesis.js';
import { type Fault, GROUPS, type Group } from './plan.js';
import { runChaos } from './run.js';
import type { Steady } from './steady-clients.js';
import { table } from './table.js';

const PROGRESS_MS = process.stderr.isTTY ? 1_000 : 10_000;

const NAMES: Readonly<Partial<Record<Fault, string>>> = {
  'kill-gateway': 'gateway killed (SIGKILL, all of its processes)',
  'stop-gateway': 'gateway stopped (SIGTERM) and started',
  'restart-gateway': 'gateway restarted (SIGTERM), the next once HAProxy has it again',
  'freeze-gateway': 'gateway frozen (SIGSTOP) for 0.5 to 4 s',
  'kill-worker': 'worker killed',
  'cut-link': 'link cut in the middle of what goes over it',
  'disconnect-link': 'links disconnected by the ejabberd node',
  'hold-link': 'link held, one way or both, for 0.5 to 6 s',
  'drop-link': 'bytes dropped, one way or both, then cut',
  'delay-link': 'link slowed down by 100 ms, one way or both',
  'kill-node': 'ejabberd node killed (SIGKILL)',
  'stop-node': 'ejabberd node stopped and started',
  'freeze-node': 'ejabberd node frozen (SIGSTOP) for 0.5 to 4 s',
  'hold-peers': 'two nodes cut off from each other, one way or both, for 0.5 to 10 s, nothing said',
  'delay-peers': 'link between two nodes slowed down by 100 ms, one way or both',
  'split-nodes': 'link between two nodes cut for up to 5 s, then all but one restarted',
};

const number = (name: string, byDefault: number): number => {
  const value = Number(process.env[name] ?? byDefault);
  if (!(value >= 0)) throw new Error(`${name}=${process.env[name]}: not a number`);
  return value;
};

const seed = number('CHAOS_SEED', Math.floor(Math.random() * 1e6));
const seconds = number('CHAOS_SECONDS', 120);
const users = number('USERS', 500);
const rate = number('RATE', 500);
const nodes = number('NODES', 2);
const gateways = number('GATEWAYS', 2);
const OURS = (Object.keys(GROUPS) as Group[]).filter((group) =>
  Object.keys(GROUPS[group]).every((fault) => fault in NAMES),
);
const faults = process.env.FAULTS ?? 'gateways,links';
const groups = faults.split(',').map((name): Group => {
  if (!OURS.includes(name as Group))
    throw new Error(`FAULTS=${faults}: ${OURS.join(', ')} or several of them`);
  return name as Group;
});
const inNamespaces = number('NAMESPACES', 0) > 0;
const folder = process.env.CHAOS_FOLDER ?? join(root, 'var', 'chaos');
const atOnce = number('CHAOS_AT_ONCE', 1);
const again = `make chaos CHAOS_SEED=${seed} CHAOS_SECONDS=${seconds} USERS=${users} RATE=${rate} NODES=${nodes} GATEWAYS=${gateways} FAULTS=${faults}${atOnce === 1 ? '' : ` CHAOS_AT_ONCE=${atOnce}`}${inNamespaces ? ' NAMESPACES=1' : ''}`;

console.log(again);
const result = await runChaos(
  {
    nodes,
    gateways,
    folder,
    seconds,
    steps: number('CHAOS_STEPS', Infinity),
    atOnce,
    seed,
    users,
    rate,
    groups,
    inNamespaces,
    again,
  },
  (text) => console.log(text),
  (clients, nemesis) => setInterval(() => showProgress(clients, nemesis), PROGRESS_MS).unref(),
);
const lines = [
  ...(result.stuck === undefined ? [] : [result.stuck]),
  ...result.lines,
  table(result.clients.checker.steps, NAMES),
];
writeFileSync(join(folder, 'report.txt'), `${[again, ...lines, result.lastLine].join('\n')}\n`);
if (process.stderr.isTTY) process.stderr.write('\r\x1b[2K');
for (const line of lines) console.log(line);
console.log(`History and report: ${folder}`);
console.log(result.lastLine);
process.exit(result.isBroken || result.stuck !== undefined ? 1 : 0);

function showProgress({ now }: Steady, { steps }: Nemesis): void {
  const { online, sent, received, resumed, errors, logins, doubled, reordered } = now;
  const line =
    `  step ${steps}: ${online} online, ${received} of ${sent} messages, ${resumed} resumed, ` +
    `${errors} errors, ${logins} logins, ${doubled} doubled, ${reordered} reordered`;
  process.stderr.write(process.stderr.isTTY ? `\r\x1b[2K${line}` : `${line}\n`);
}
