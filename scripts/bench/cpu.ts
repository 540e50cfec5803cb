/**
 * `make bench-cpu`: processor time for each login and for each delivered message, in ejabberd and in the gateway, on
 * ejabberd's own BOSH and on Megaphone, each on a fresh node at the same rates. Both are measured in turn, several
 * times: how much a wake-up costs depends on what else the machine does.
 *
 *   USERS=500          who send each other messages
 *   RATES=500,1500     messages a second
 *   MEASURE_SECONDS=30 of measurement at each rate, a third of it at a time
 */

import { numberFrom, numbersFrom } from './environment.js';
import { Histogram } from './load/histogram.js';
import { Load } from './load/load.js';
import { describeMachine } from './machine.js';
import { Progress } from './progress.js';
import { KINDS, type Kind, NAMES, Server, type Usage } from './server.js';
import { table } from './table.js';
import { describeTrouble } from './trouble.js';

const USERS = numberFrom('USERS', 500, 2);
const RATES = numbersFrom('RATES', [500, 1500], 1);
const SECONDS = numberFrom('MEASURE_SECONDS', 30, 1);

const ROUNDS = 3;
const PACE = { concurrency: 20, perSecond: 50 };
/** Before each measurement, so that nothing of what came before falls into it. */
const QUIET_SECONDS = 5;

interface Subject {
  readonly kind: Kind;
  readonly server: Server;
  readonly load: Load;
  /** Seconds of processor time for each login. */
  readonly login: Usage;
  /** By rate. */
  readonly traffic: ReadonlyMap<number, Traffic>;
}

/** Sums of all rounds. */
interface Traffic {
  cpu: Usage;
  delivered: number;
  /** Microseconds from due to delivered. */
  readonly latencies: Histogram;
}

const progress = new Progress();

async function begin(kind: Kind): Promise<Subject> {
  progress.say(`${NAMES[kind]}: a fresh node, and ${USERS} logins ...`);
  const server = await Server.start(kind);
  await server.warmUp();
  const load = await Load.start({ url: server.url, host: 'localhost', users: USERS });
  await progress.wait(load, QUIET_SECONDS);
  const before = server.cpu();
  await load.login(PACE);
  await progress.wait(load, QUIET_SECONDS);
  const login = share(difference(server.cpu(), before), USERS);
  const traffic = RATES.map((rate): [number, Traffic] => [
    rate,
    { cpu: { ejabberd: 0, gateway: 0 }, delivered: 0, latencies: new Histogram() },
  ]);
  return { kind, server, load, login, traffic: new Map(traffic) };
}

async function measure({ server, load }: Subject, rate: number, traffic: Traffic): Promise<void> {
  await load.talk(rate);
  await progress.wait(load, QUIET_SECONDS);
  await load.latencies();
  const [begin, before] = [await load.counters(), server.cpu()];
  await progress.wait(load, SECONDS / ROUNDS);
  const [end, after] = [await load.counters(), server.cpu()];
  traffic.latencies.merge(await load.latencies());
  await load.settle();
  const used = difference(after, before);
  traffic.cpu = {
    ejabberd: traffic.cpu.ejabberd + used.ejabberd,
    gateway: traffic.cpu.gateway + used.gateway,
  };
  traffic.delivered += end.delivered - begin.delivered;
}

async function end({ kind, server, load }: Subject): Promise<void> {
  const counters = await load.counters();
  const { sent, delivered, online } = counters;
  progress.say(`${NAMES[kind]}: ${sent} messages sent, ${delivered} delivered`);
  for (const line of describeTrouble(counters)) progress.say(`  ${line}`);
  if (online < USERS) throw new Error(`only ${online} of ${USERS} users stayed online`);
  load.close();
  await server.stop();
}

const difference = (a: Usage, b: Usage): Usage => ({
  ejabberd: a.ejabberd - b.ejabberd,
  gateway: a.gateway - b.gateway,
});

const share = ({ ejabberd, gateway }: Usage, count: number): Usage => ({
  ejabberd: ejabberd / count,
  gateway: gateway / count,
});

const ms = (seconds: number): string => `${(seconds * 1000).toFixed(3)} ms`;

type Row = readonly [name: string, cell: (subject: Subject) => string];

const usageRows = (what: string, usage: (subject: Subject) => Usage): Row[] => [
  [`${what}, ejabberd`, (subject) => ms(usage(subject).ejabberd)],
  ['  gateway', (subject) => ms(usage(subject).gateway)],
  ['  sum', (subject) => ms(usage(subject).ejabberd + usage(subject).gateway)],
];

const trafficAt = ({ traffic }: Subject, rate: number): Traffic => {
  const found = traffic.get(rate);
  if (found === undefined) throw new Error(`nothing was measured at ${rate}/s`);
  return found;
};

const perMessage = (subject: Subject, rate: number): Usage => {
  const { cpu, delivered } = trafficAt(subject, rate);
  return share(cpu, delivered);
};

const rateRows = (rate: number): Row[] => {
  const percentile = (percent: number) => (subject: Subject) =>
    `${(trafficAt(subject, rate).latencies.percentile(percent) / 1000).toFixed(1)} ms`;
  return [
    ...usageRows(`CPU per message at ${rate}/s`, (subject) => perMessage(subject, rate)),
    ['  delivered a second', (subject) => (trafficAt(subject, rate).delivered / SECONDS).toFixed(0)],
    ['  latency p50', percentile(50)],
    ['  latency p99', percentile(99)],
  ];
};

progress.say(describeMachine());
const [own, megaphone] = [await begin('own'), await begin('megaphone')];
const subjects = [own, megaphone];
for (const rate of RATES) {
  for (let round = 1; round <= ROUNDS; round += 1) {
    for (const subject of subjects) {
      progress.say(`${NAMES[subject.kind]}: ${rate} messages a second (${round} of ${ROUNDS}) ...`);
      await measure(subject, rate, trafficAt(subject, rate));
    }
  }
}
for (const subject of subjects) await end(subject);

const rows = [...usageRows('CPU per login', ({ login }) => login), ...RATES.flatMap(rateRows)];
progress.say(`\n${USERS} users\n`);
progress.say(
  table([
    ['', ...KINDS.map((kind) => NAMES[kind])],
    ...rows.map(([name, cell]) => [name, ...subjects.map(cell)]),
  ]),
);
// At the rate where the difference is least.
const ratios = RATES.map((rate) => perMessage(own, rate).ejabberd / perMessage(megaphone, rate).ejabberd);
progress.say(`\nratio ${Math.min(...ratios).toFixed(1)}`);
