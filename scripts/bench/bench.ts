/**
 * `make bench`: ejabberd's own BOSH and Megaphone side by side on this machine. Both run at once, each on a fresh node,
 * and are measured in turn, so that what else goes on hits both alike.
 *
 *   USERS=500                who send each other messages
 *   RATES=500,1500,3000      messages a second, at which processor time and latency are measured
 *   MEASURE_SECONDS=30       at each rate, a third of it at a time
 *   STEP_SECONDS=5           for each try on the way to the highest rate
 *   LOGINS=3000              as fast as they go, a third at a time
 *   IDLE_USERS=8000          whose memory is measured
 *   SETTLE_SECONDS=30        from the last login to that measurement
 *   PUBLISH=1                writes the documentation also with other settings than these
 */

import { Progress } from '../load/progress.js';
import { numberFrom, numbersFrom } from './lib/environment.js';
import { describeMachine } from './lib/machine.js';
import { publish, save } from './lib/publish.js';
import { KINDS, type Kind, NAMES } from './lib/server.js';
import { share } from './lib/usage.js';
import { IdleSubject } from './logins/subject.js';
import { highestRate } from './rate/highest-rate.js';
import { comparison, textTable } from './report.js';
import type { Latency, Results, Side, Step, TrafficResult } from './results.js';
import { noTraffic, Subject, type Traffic } from './traffic.js';

const SETTINGS = {
  USERS: numberFrom('USERS', 500, 2),
  RATES: numbersFrom('RATES', [500, 1500, 3000], 1),
  MEASURE_SECONDS: numberFrom('MEASURE_SECONDS', 30, 3),
  STEP_SECONDS: numberFrom('STEP_SECONDS', 5, 1),
  LOGINS: numberFrom('LOGINS', 3000, 3),
  // The gateway takes 16,000 connections unless told otherwise.
  IDLE_USERS: numberFrom('IDLE_USERS', 8000, 1, 12_000),
  SETTLE_SECONDS: numberFrom('SETTLE_SECONDS', 30, 0),
};
const isTrial = Object.keys(SETTINGS).some((name) => (process.env[name] ?? '') !== '');

const ROUNDS = 3;
const FIRST_RATE = 1_000;
const PRECISION = 1.08;
const LEAST_RATE = 100;
/** Milliseconds. */
const CLEAN_P99 = 100;

const progress = new Progress();

async function inTurn<T>(make: (kind: Kind) => Promise<T>): Promise<Record<Kind, T>> {
  return { own: await make('own'), megaphone: await make('megaphone') };
}

async function measureTraffic(
  subjects: Record<Kind, Subject>,
): Promise<Record<Kind, readonly TrafficResult[]>> {
  const traffic = { own: SETTINGS.RATES.map(noTraffic), megaphone: SETTINGS.RATES.map(noTraffic) };
  for (const [index, rate] of SETTINGS.RATES.entries()) {
    for (let round = 1; round <= ROUNDS; round += 1) {
      progress.say(`${rate} messages a second, on one, then on the other (${round} of ${ROUNDS}) ...`);
      for (const kind of KINDS) {
        await subjects[kind].measure(
          rate,
          SETTINGS.MEASURE_SECONDS / ROUNDS,
          traffic[kind][index] ?? noTraffic(),
        );
        await subjects[kind].mend();
      }
    }
  }
  const results = (kind: Kind) =>
    SETTINGS.RATES.map((rate, index) => trafficResult(rate, traffic[kind][index] ?? noTraffic()));
  return { own: results('own'), megaphone: results('megaphone') };
}

const trafficResult = (
  rate: number,
  { cpu, loadCpu, delivered, late, latencies }: Traffic,
): TrafficResult => ({
  rate,
  delivered,
  late,
  cpu: share(cpu, delivered),
  loadCpu: loadCpu / delivered,
  latency: latencyOf(latencies),
});

const latencyOf = (latencies: Traffic['latencies']): Latency => ({
  p50: latencies.percentile(50) / 1000,
  p90: latencies.percentile(90) / 1000,
  p99: latencies.percentile(99) / 1000,
});

async function tryRate(subject: Subject, rate: number): Promise<Step> {
  const traffic = noTraffic();
  await subject.measure(rate, SETTINGS.STEP_SECONDS, traffic);
  const latency = latencyOf(traffic.latencies);
  const isClean = latency.p99 < CLEAN_P99;
  const outcome = `p99 ${latency.p99.toFixed(0)} ms${traffic.late === 0 ? '' : `, ${traffic.late} late by seconds`}`;
  progress.say(`${NAMES[subject.kind]}: ${rate} messages a second: ${outcome}`);
  await subject.mend();
  return { rate, latency, late: traffic.late, isClean };
}

interface Highest {
  readonly highest: number;
  readonly steps: readonly Step[];
}

async function findHighest(subjects: Record<Kind, Subject>): Promise<Record<Kind, Highest>> {
  const searches = KINDS.map((kind) => {
    const rates = highestRate(FIRST_RATE, PRECISION, LEAST_RATE);
    return { kind, rates, next: rates.next(), steps: [] as Step[] };
  });
  while (searches.some(({ next }) => !next.done)) {
    for (const search of searches) {
      if (search.next.done) continue;
      const step = await tryRate(subjects[search.kind], search.next.value);
      search.steps.push(step);
      search.next = search.rates.next(step.isClean);
    }
  }
  const [own, megaphone] = searches.map(({ next, steps }) => ({ highest: next.value, steps }));
  if (own === undefined || megaphone === undefined) throw new Error('both were searched');
  return { own, megaphone };
}

async function talking(): Promise<Record<Kind, Pick<Side, 'traffic' | 'highest' | 'steps' | 'lost'>>> {
  const subjects = await inTurn((kind) => Subject.start(kind, SETTINGS.USERS, progress));
  const traffic = await measureTraffic(subjects);
  const highest = await findHighest(subjects);
  const lost = await inTurn((kind) => subjects[kind].lost());
  for (const kind of KINDS) await subjects[kind].end();
  return {
    own: { traffic: traffic.own, ...highest.own, lost: lost.own },
    megaphone: { traffic: traffic.megaphone, ...highest.megaphone, lost: lost.megaphone },
  };
}

async function idle(): Promise<Record<Kind, Pick<Side, 'memory' | 'logins'>>> {
  const perRound = Math.ceil(SETTINGS.LOGINS / ROUNDS);
  const subjects = await inTurn((kind) => IdleSubject.start(kind, perRound * ROUNDS, progress));
  for (let round = 1; round <= ROUNDS; round += 1) {
    progress.say(`Logins as fast as they go, on one, then on the other (${round} of ${ROUNDS}) ...`);
    for (const kind of KINDS) await subjects[kind].logIn(perRound);
  }
  progress.say(`Memory of ${SETTINGS.IDLE_USERS} idle users, on one, then on the other ...`);
  const memory = await inTurn((kind) =>
    subjects[kind].memoryOf(SETTINGS.IDLE_USERS, SETTINGS.SETTLE_SECONDS),
  );
  for (const kind of KINDS) await subjects[kind].end();
  return {
    own: { memory: memory.own, logins: subjects.own.logins },
    megaphone: { memory: memory.megaphone, logins: subjects.megaphone.logins },
  };
}

const machine = describeMachine();
progress.say(machine);
const whenTalking = await talking();
const whenIdle = await idle();
const results: Results = {
  machine,
  date: new Date().toISOString(),
  isTrial,
  settings: SETTINGS,
  own: { ...whenIdle.own, ...whenTalking.own },
  megaphone: { ...whenIdle.megaphone, ...whenTalking.megaphone },
};
progress.say(`\n${textTable(comparison(results))}\n`);
progress.say(`Written: ${save('bench', results)}`);
if (!isTrial || process.env.PUBLISH === '1') progress.say(`Written: ${publish(results).join(', ')}`);
else progress.say('With other settings than usual: a trial. PUBLISH=1 would write it into docs/.');
