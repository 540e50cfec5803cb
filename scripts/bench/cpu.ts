/**
 * `make bench-cpu`: processor time for each login and for each delivered message, in ejabberd and in the gateway, on
 * ejabberd's own BOSH and on Megaphone, each on a fresh node at the same rates.
 *
 *   USERS=500          who send each other messages
 *   RATES=500,1500     messages a second
 *   MEASURE_SECONDS=30 of measurement at each rate, after a while at that rate
 */

import { numberFrom, numbersFrom } from './environment.js';
import { Load } from './load/load.js';
import { describeMachine } from './machine.js';
import { Progress } from './progress.js';
import { KINDS, type Kind, NAMES, Server, type Usage } from './server.js';
import { table } from './table.js';
import { describeTrouble } from './trouble.js';

const USERS = numberFrom('USERS', 500, 2);
const RATES = numbersFrom('RATES', [500, 1500], 1);
const SECONDS = numberFrom('MEASURE_SECONDS', 30, 1);

const PACE = { concurrency: 20, perSecond: 50 };
/** Before each measurement, so that nothing of what came before falls into it. */
const QUIET_SECONDS = 5;

interface Rate {
  /** Seconds of processor time for each message. */
  readonly cpu: Usage;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Messages a second that arrived. */
  readonly delivered: number;
}

interface Result {
  /** Seconds of processor time for each login. */
  readonly login: Usage;
  readonly rates: readonly Rate[];
}

const progress = new Progress();

async function measure(kind: Kind): Promise<Result> {
  progress.say(`${NAMES[kind]}: starting a fresh node ...`);
  const server = await Server.start(kind);
  try {
    await server.warmUp();
    const load = await Load.start({ url: server.url, host: 'localhost', users: USERS });
    await progress.wait(load, QUIET_SECONDS);

    progress.say(`${NAMES[kind]}: ${USERS} logins ...`);
    const before = server.cpu();
    await load.login(PACE);
    await progress.wait(load, QUIET_SECONDS);
    const login = share(before, server.cpu(), USERS);

    const rates: Rate[] = [];
    for (const rate of RATES) {
      progress.say(`${NAMES[kind]}: ${rate} messages a second, for ${SECONDS} s ...`);
      rates.push(await measureRate(server, load, rate));
    }
    const counters = await load.counters();
    for (const line of describeTrouble(counters)) progress.say(`  ${line}`);
    if (counters.online < USERS) throw new Error(`only ${counters.online} of ${USERS} users stayed online`);
    load.close();
    return { login, rates };
  } finally {
    await server.stop();
  }
}

async function measureRate(server: Server, load: Load, rate: number): Promise<Rate> {
  await load.talk(rate);
  await progress.wait(load, QUIET_SECONDS);
  await load.latencies();
  const [begin, before] = [await load.counters(), server.cpu()];
  await progress.wait(load, SECONDS);
  const [end, after] = [await load.counters(), server.cpu()];
  const latencies = await load.latencies();
  await load.settle();
  const delivered = end.delivered - begin.delivered;
  return {
    cpu: share(before, after, delivered),
    p50: latencies.percentile(50) / 1000,
    p99: latencies.percentile(99) / 1000,
    delivered: delivered / SECONDS,
  };
}

function share(before: Usage, after: Usage, count: number): Usage {
  const each = (of: keyof Usage): number => (after[of] - before[of]) / count;
  return { ejabberd: each('ejabberd'), gateway: each('gateway') };
}

const ms = (seconds: number): string => `${(seconds * 1000).toFixed(3)} ms`;

type Row = readonly [name: string, cell: (result: Result) => string];

const usageRows = (what: string, usage: (result: Result) => Usage): Row[] => [
  [`${what}, ejabberd`, (result) => ms(usage(result).ejabberd)],
  ['  gateway', (result) => ms(usage(result).gateway)],
  ['  sum', (result) => ms(usage(result).ejabberd + usage(result).gateway)],
];

const rateRows = (rate: number, index: number): Row[] => {
  const of = ({ rates }: Result): Rate => rates[index] as Rate;
  return [
    ...usageRows(`CPU per message at ${rate}/s`, (result) => of(result).cpu),
    ['  delivered a second', (result) => of(result).delivered.toFixed(0)],
    ['  latency p50', (result) => `${of(result).p50.toFixed(1)} ms`],
    ['  latency p99', (result) => `${of(result).p99.toFixed(1)} ms`],
  ];
};

progress.say(describeMachine());
const results: Record<Kind, Result> = { own: await measure('own'), megaphone: await measure('megaphone') };
const rows = [...usageRows('CPU per login', ({ login }) => login), ...RATES.flatMap(rateRows)];
progress.say(`\n${USERS} users\n`);
progress.say(
  table([
    ['', ...KINDS.map((kind) => NAMES[kind])],
    ...rows.map(([name, cell]) => [name, ...KINDS.map((kind) => cell(results[kind]))]),
  ]),
);
// At the rate where the difference is least.
const ratios = RATES.map((_, index) => {
  const cpu = (kind: Kind): number => results[kind].rates[index]?.cpu.ejabberd ?? Number.NaN;
  return cpu('own') / cpu('megaphone');
});
progress.say(`\nratio ${Math.min(...ratios).toFixed(1)}`);
