/**
 * `make bench-messages`: users who write to each other at a steady rate, on ejabberd's own BOSH, on the same behind
 * haproxy, and on Megaphone: processor time and counts for each message, and latency. All servers run at once, each on
 * a fresh node, and are measured in turn, round by round, so that what else the machine does hits all alike.
 *
 *   SUBJECTS=own,haproxy,megaphone
 *   PATTERNS=next,random       each writes to the next, evenly; or random users to random others at random moments
 *   RATES=500,1500,3000,6000   messages a second
 *   ROUNDS=3
 *   MEASURE_SECONDS=5          of each round
 *   USERS=500
 *   CORES=4                    of the servers; what is left of this machine's is the load generator's (cores.ts)
 *
 * A quick look, which takes some 25 s after `make build` and ends with one line:
 *
 *   SUBJECTS=megaphone PATTERNS=random RATES=3000 ROUNDS=1 MEASURE_SECONDS=8 node dist/scripts/bench/messages/main.js
 */

import { Progress } from '../../load/progress.js';
import { PATTERNS, type Pattern } from '../../load/schedule.js';
import { assignCores, describeCores } from '../lib/cores.js';
import { namesFrom, numberFrom, numbersFrom } from '../lib/environment.js';
import { describeMachine } from '../lib/machine.js';
import { save } from '../lib/publish.js';
import { SUBJECTS } from '../lib/server.js';
import { sumOf } from '../lib/usage.js';
import { type Sample, Subject } from './subject.js';

const SETTINGS = {
  SUBJECTS: namesFrom('SUBJECTS', SUBJECTS),
  PATTERNS: namesFrom('PATTERNS', PATTERNS),
  RATES: numbersFrom('RATES', [500, 1500, 3000, 6000], 1),
  ROUNDS: numberFrom('ROUNDS', 3, 1),
  MEASURE_SECONDS: numberFrom('MEASURE_SECONDS', 5, 1),
  USERS: numberFrom('USERS', 500, 2),
};

const progress = new Progress();
const cores = assignCores();
const machine = describeMachine();
progress.say(`${machine}; ${describeCores(cores)}`);

const ms = (milliseconds: number): string => `${milliseconds.toFixed(1)} ms`;
const cpu = (seconds: number): string => (seconds * 1000).toFixed(3);

function describe({ p50, p99, lag99, late, cpu: used, loadCpu, counts }: Sample): string {
  const each = (count: number | undefined) =>
    count === undefined ? '-' : count.toFixed(count < 100 ? 1 : 0);
  return [
    `p50 ${ms(p50)} p99 ${ms(p99)} (sent late p99 ${ms(lag99)})${late === 0 ? '' : ` ${late} late by seconds`}`,
    `cpu ${cpu(used.ejabberd)} + ${cpu(used.gateway)} = ${cpu(sumOf(used))} ms, load ${cpu(loadCpu)}`,
    `a message: ${each(counts.requests)} requests, ${each(counts.reductions)} reductions, ` +
      `woken ${each(counts.ejabberdWakeUps)} + ${each(counts.frontWakeUps)}, ` +
      `calls ${each(counts.ejabberdCalls)} + ${each(counts.frontCalls)}`,
  ].join('; ');
}

const subjects = await Promise.all(
  SETTINGS.SUBJECTS.map((name) => Subject.start(name, SETTINGS.USERS, cores, progress)),
);
const cells: { pattern: Pattern; rate: number; round: number; subject: string; sample: Sample }[] = [];
for (const pattern of SETTINGS.PATTERNS) {
  for (const rate of SETTINGS.RATES) {
    for (let round = 0; round < SETTINGS.ROUNDS; round += 1) {
      // Each begins in turn.
      for (let place = 0; place < subjects.length; place += 1) {
        const subject = subjects[(round + place) % subjects.length];
        if (subject === undefined) continue;
        const sample = await subject.measure(pattern, rate, SETTINGS.MEASURE_SECONDS, round);
        cells.push({ pattern, rate, round, subject: subject.name, sample });
        progress.say(`${subject.name} ${pattern} ${rate}/s: ${describe(sample)}`);
      }
    }
  }
}
for (const subject of subjects) {
  await subject.lost();
  await subject.end();
}
progress.say(`Written: ${save(`messages-${cores.count}`, { machine, cores, settings: SETTINGS, cells })}`);
