/**
 * Users who write to each other at a steady rate, on ejabberd's own BOSH and WebSocket, on own BOSH behind haproxy, on
 * Megaphone's two, and on Prosody's: processor time and counts for each message, latency, and the highest rate. All servers
 * run at once, each on a fresh node, and are measured in turn, round by round, so that what else the machine does hits all
 * alike. Who does not keep up is not asked for more. A part of `make bench`: `ONLY=messages make bench`.
 *
 *   SUBJECTS=own-bosh,haproxy,megaphone-bosh,own-websocket,megaphone-websocket,prosody-bosh,prosody-websocket
 *   PATTERNS=random            random users to random others at random moments; next: each to the next, evenly
 *   RATES=500,1500,3000,6000   messages a second
 *   ROUNDS=5
 *   MEASURE_SECONDS=4          of each round
 *   STEP_SECONDS=2             for each try on the way to the highest rate, which is not looked for with 0, nor where
 *                              another setting is given and this is not
 *   USERS=500
 *   CORES=4                    of the servers; what is left of this machine's is the load generator's (lib/cores.ts)
 *
 * A quick look, which takes some 25 s after `make build` and ends with one line:
 *
 *   SUBJECTS=megaphone-websocket RATES=3000 ROUNDS=1 MEASURE_SECONDS=8 node dist/scripts/bench/messages/main.js
 */

import { Progress } from '../../load/progress.js';
import { PATTERNS, type Pattern } from '../../load/schedule.js';
import { assignCores, describeCores } from '../lib/cores.js';
import { COUNTS, type Count } from '../lib/counts.js';
import { areSet, namesFrom, numberFrom, numbersFrom } from '../lib/environment.js';
import { describeMachine } from '../lib/machine.js';
import { save } from '../lib/publish.js';
import { SUBJECTS } from '../lib/subjects.js';
import { sumOf } from '../lib/usage.js';
import { highestRate } from './highest-rate.js';
import type { Cell, Highest, MessageResults } from './results.js';
import { type Sample, Subject } from './subject.js';

const MAIN = ['SUBJECTS', 'PATTERNS', 'RATES', 'ROUNDS', 'MEASURE_SECONDS', 'USERS'] as const;
const isTrial = areSet([...MAIN, 'STEP_SECONDS']);
const subjectNames = namesFrom('SUBJECTS', SUBJECTS);
const patterns = namesFrom('PATTERNS', PATTERNS, ['random']);
const rates = numbersFrom('RATES', [500, 1500, 3000, 6000], 1).toSorted((a, b) => a - b);
const rounds = numberFrom('ROUNDS', 5, 1);
const measureSeconds = numberFrom('MEASURE_SECONDS', 4, 1);
const stepSeconds = numberFrom('STEP_SECONDS', areSet(MAIN) ? 0 : 2, 0);
const users = numberFrom('USERS', 500, 2);

const FIRST_RATE = 2_000;
const PRECISION = 1.25;
const LEAST_RATE = 100;
/** Milliseconds. */
const CLEAN_P99 = 100;
/** Whoever delivers less of what was due has no rate to be measured at. */
const KEEPS_UP = 0.8;

const progress = new Progress();
const ms = (milliseconds: number): string => `${milliseconds.toFixed(1)} ms`;
const cpu = (seconds: number): string => (seconds * 1000).toFixed(3);

function describe({ p50, p99, lag99, late, cpu: used, loadCpu, counts }: Sample): string {
  const each = (name: Count) => {
    const count = counts[name];
    return `${count?.toFixed(count < 100 ? 1 : 0) ?? '-'} ${COUNTS[name].replace(/^.*: |^— /, '')}`;
  };
  return [
    `p50 ${ms(p50)} p99 ${ms(p99)} (sent late: p99 ${ms(lag99)})${late === 0 ? '' : ` ${late} late by seconds`}`,
    `cpu ${cpu(used.server)} + ${cpu(used.front)} = ${cpu(sumOf(used))} ms, load ${cpu(loadCpu)}`,
    `server ${each('reductions')}, ${each('serverWakeUps')}, ${each('serverCalls')}`,
    `in front ${each('frontWakeUps')}, ${each('frontCalls')}`,
  ].join('; ');
}

async function measure(subjects: readonly Subject[]): Promise<Cell[]> {
  const cells: Cell[] = [];
  for (const pattern of patterns) {
    let able = subjects;
    for (const rate of rates) {
      for (let round = 0; round < rounds; round += 1) {
        // Each is the first in turn.
        const first = round % able.length;
        for (const subject of [...able.slice(first), ...able.slice(0, first)]) {
          const sample = await subject.measure(pattern, rate, measureSeconds, round);
          cells.push({ pattern, rate, round, subject: subject.name, sample });
          progress.say(`${subject.name} ${pattern} ${rate}/s: ${describe(sample)}`);
          if (sample.keptUp < KEEPS_UP) able = able.filter((other) => other !== subject);
        }
      }
    }
  }
  return cells;
}

async function findHighest(subjects: readonly Subject[], pattern: Pattern): Promise<Highest[]> {
  const searches = subjects.map((subject) => {
    const wanted = highestRate(FIRST_RATE, PRECISION, LEAST_RATE);
    return { subject, wanted, next: wanted.next(), tries: [] as Highest['tries'][number][] };
  });
  while (searches.some(({ next }) => !next.done)) {
    for (const search of searches) {
      if (search.next.done) continue;
      const rate = search.next.value;
      const { p99, late } = await search.subject.measure(pattern, rate, stepSeconds, search.tries.length);
      const isClean = p99 < CLEAN_P99;
      progress.say(
        `${search.subject.name} ${pattern}: ${rate} messages a second: p99 ${ms(p99)}, ${late} late by seconds`,
      );
      search.tries.push({ rate, p99, isClean });
      search.next = search.wanted.next(isClean);
    }
  }
  return searches.map(({ subject, next, tries }) => ({
    pattern,
    subject: subject.name,
    rate: next.value,
    tries,
  }));
}

const cores = assignCores();
const machine = describeMachine('prosody', 'haproxy');
progress.say(`${machine}; ${describeCores(cores)}`);
const subjects = await Promise.all(subjectNames.map((name) => Subject.start(name, users, cores, progress)));
const cells = await measure(subjects);
const highest: Highest[] = [];
// haproxy is no server: how much it can take is not asked.
const searched = stepSeconds === 0 ? [] : subjects.filter(({ name }) => name !== 'haproxy');
if (searched.length > 0) {
  for (const pattern of patterns) highest.push(...(await findHighest(searched, pattern)));
}
const lost: Record<string, number> = {};
await Promise.all(
  subjects.map(async (subject) => {
    lost[subject.name] = await subject.lost();
  }),
);
for (const subject of subjects) await subject.end();
const results: MessageResults = {
  machine,
  cores,
  date: new Date().toISOString(),
  isTrial,
  settings: `${users} users; medians of ${rounds} rounds of ${measureSeconds} s each`,
  cells,
  highest,
  lost,
};
progress.say(`Written: ${save(`messages-${cores.count}`, results)}`);
