/**
 * `make bench-cpu`: processor time for each login and for each delivered message, in ejabberd and in the gateway, on
 * ejabberd's own BOSH and on Megaphone, each on a fresh node at the same rates.
 *
 *   USERS=500          who send each other messages
 *   RATES=500,1500     messages a second
 *   MEASURE_SECONDS=30 of measurement at each rate, a third of it at a time
 */

import { Progress } from '../load/progress.js';
import { numberFrom, numbersFrom } from './lib/environment.js';
import { describeMachine } from './lib/machine.js';
import { KINDS, NAMES } from './lib/server.js';
import { table } from './lib/table.js';
import { share, sumOf, type Usage } from './lib/usage.js';
import { noTraffic, Subject, type Traffic } from './traffic.js';

const USERS = numberFrom('USERS', 500, 2);
const RATES = numbersFrom('RATES', [500, 1500], 1);
const SECONDS = numberFrom('MEASURE_SECONDS', 30, 1);
const ROUNDS = 3;

interface Measured {
  readonly subject: Subject;
  readonly traffic: readonly Traffic[];
}

const ms = (seconds: number): string => `${(seconds * 1000).toFixed(3)} ms`;

type Row = readonly [name: string, cell: (measured: Measured) => string];

const usageRows = (what: string, usage: (measured: Measured) => Usage): Row[] => [
  [`${what}, ejabberd`, (measured) => ms(usage(measured).ejabberd)],
  ['  gateway', (measured) => ms(usage(measured).gateway)],
  ['  sum', (measured) => ms(sumOf(usage(measured)))],
];

const at = ({ traffic }: Measured, index: number): Traffic => traffic[index] ?? noTraffic();
const perMessage = ({ cpu, delivered }: Traffic): Usage => share(cpu, delivered);

function rateRows(rate: number, index: number): Row[] {
  const percentile = (percent: number) => (measured: Measured) =>
    `${(at(measured, index).latencies.percentile(percent) / 1000).toFixed(1)} ms`;
  return [
    ...usageRows(`CPU per message at ${rate}/s`, (measured) => perMessage(at(measured, index))),
    ['  delivered a second', (measured) => (at(measured, index).delivered / SECONDS).toFixed(0)],
    ['  latency p50', percentile(50)],
    ['  latency p99', percentile(99)],
  ];
}

const progress = new Progress();
progress.say(describeMachine());
const begin = async (kind: (typeof KINDS)[number]): Promise<Measured> => ({
  subject: await Subject.start(kind, USERS, progress),
  traffic: RATES.map(noTraffic),
});
const [own, megaphone] = [await begin('own'), await begin('megaphone')];
const both = [own, megaphone];
for (const [index, rate] of RATES.entries()) {
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const measured of both) {
      progress.say(`${NAMES[measured.subject.kind]}: ${rate} messages a second (${round} of ${ROUNDS}) ...`);
      await measured.subject.measure(rate, SECONDS / ROUNDS, at(measured, index));
    }
  }
}
for (const { subject } of both) {
  await subject.lost();
  await subject.end();
}

const rows = [...usageRows('CPU per login', ({ subject }) => subject.login), ...RATES.flatMap(rateRows)];
progress.say(`\n${USERS} users\n`);
progress.say(
  table([
    ['', ...KINDS.map((kind) => NAMES[kind])],
    ...rows.map(([name, cell]) => [name, ...both.map(cell)]),
  ]),
);
// At the rate where the difference is least.
const ratios = RATES.map(
  (_, index) => perMessage(at(own, index)).ejabberd / perMessage(at(megaphone, index)).ejabberd,
);
progress.say(`\nratio ${Math.min(...ratios).toFixed(1)}`);
