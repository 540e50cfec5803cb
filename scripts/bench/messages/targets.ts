/** What a message is to cost and how long it is to take, with random users who write to random others, and why not. */

import type { Pattern } from '../../load/schedule.js';
import type { Count } from '../lib/counts.js';
import { spreadText } from '../lib/rounds.js';
import { PAIRS, type SubjectName } from '../lib/subjects.js';
import { atLeast, atMost, type Target } from '../lib/targets.js';
import {
  count,
  cpu,
  type Figure,
  Figures,
  frontCpu,
  lag99,
  loadCpu,
  p99,
  ratesOf,
  serverCpu,
} from './figures.js';
import type { MessageResults } from './results.js';

const PATTERN: Pattern = 'random';
/** The highest rate of which messages may take a little longer. */
const LOW_RATE = 1_500;
const LOW_RATE_MS = 1;
const SERVER_LIMIT = 0.5;
const CPU_LIMITS = { low: 0.9, from: 1_500, high: 0.75 };
const BOSH_LIMIT = 0.5;
const HIGHEST_LIMIT = 2;

const { own, megaphone } = PAIRS.websocket;
const bosh = PAIRS.bosh.megaphone;

export function messageTargets(results: MessageResults): Target[] {
  const all = ratesOf(results).map((rate) => new Figures(results, PATTERN, rate));
  return [
    ...all.map(serverTarget),
    ...all.map(cpuTarget),
    ...all.map(latencyTarget),
    ...highestTarget(results, all.at(-1)),
    ...all.map(boshTarget),
  ];
}

function serverTarget(figures: Figures): Target {
  const ratio = figures.ratio(megaphone, own, serverCpu);
  return {
    name: `Processor time of a message in ejabberd at ${figures.rate}/s, by own WebSocket's`,
    ...atMost(SERVER_LIMIT, ratio.median),
    measured: spreadText(ratio),
    why: serverCounts(figures, own),
  };
}

function cpuTarget(figures: Figures): Target {
  const ratio = figures.ratio(megaphone, own, cpu);
  const limit = figures.rate < CPU_LIMITS.from ? CPU_LIMITS.low : CPU_LIMITS.high;
  const room = limit * figures.median(own, cpu) - figures.median(megaphone, serverCpu);
  return {
    name: `The same with the gateway at ${figures.rate}/s`,
    ...atMost(limit, ratio.median),
    measured: spreadText(ratio),
    why:
      `${serverCounts(figures, own)} The gateway adds ${frontCounts(figures, megaphone)}. ` +
      `With ejabberd's part as it is, the target leaves ${room > 0 ? `${room.toFixed(3)} ms` : 'nothing'} for it; ` +
      `haproxy in front of own BOSH takes ${frontCounts(figures, 'haproxy')}.`,
  };
}

function latencyTarget(figures: Figures): Target {
  const ratio = figures.ratio(megaphone, own, p99);
  const more = figures.difference(megaphone, own, p99);
  const isLow = figures.rate <= LOW_RATE;
  const times = `${ms(figures, megaphone, p99)}, own ${ms(figures, own, p99)}`;
  const woken = (subject: SubjectName): string =>
    (
      figures.median(subject, count('serverWakeUps')) + figures.median(subject, count('frontWakeUps'))
    ).toFixed(1);
  return {
    name: `p99 at ${figures.rate}/s, beside own WebSocket's`,
    ...(isLow ? { wanted: 'at most 1 ms more', isMet: more.median <= LOW_RATE_MS } : atMost(1, ratio.median)),
    measured: isLow
      ? `${more.median.toFixed(1)} ms more (${more.low.toFixed(1)} to ${more.high.toFixed(1)}; ${times}; ratio ${ratio.median.toFixed(2)})`
      : `${spreadText(ratio)}: ${times}`,
    why:
      `${times}; ${spreadText(ratio)} by round. A message makes two hops more on its way: ${woken(megaphone)} threads woken for it ` +
      `in all, own ${woken(own)}. The load generator itself sent late by ${ms(figures, megaphone, lag99)} and ` +
      `${ms(figures, own, lag99)} (p99).`,
  };
}

function highestTarget({ highest, cores }: MessageResults, last: Figures | undefined): Target[] {
  const of = (wanted: SubjectName): number | undefined =>
    highest.find(({ pattern, subject }) => pattern === PATTERN && subject === wanted)?.rate;
  const [mine, theirs] = [of(megaphone), of(own)];
  if (mine === undefined || theirs === undefined || last === undefined) return [];
  const time = (subject: SubjectName): string =>
    (last.median(subject, cpu) + (cores.areShared ? last.median(subject, loadCpu) : 0)).toFixed(3);
  return [
    {
      name: "Highest clean rate, by own WebSocket's",
      ...atLeast(HIGHEST_LIMIT, mine / theirs),
      measured: `${(mine / theirs).toFixed(2)}: ${mine} a second, own ${theirs}`,
      why:
        `At ${last.rate}/s a message takes ${time(megaphone)} ms of the ${cores.count} cores' time instead of ${time(own)}` +
        `${cores.areShared ? ', with that of the load generator' : ''}: ` +
        `${(Number(time(own)) / Number(time(megaphone))).toFixed(2)} times as many messages would fill them. ${serverCounts(last, own)}`,
    },
  ];
}

function boshTarget(figures: Figures): Target {
  const ratio = figures.ratio(megaphone, bosh, cpu);
  return {
    name: `Processor time of a message with the gateway at ${figures.rate}/s, by Megaphone BOSH's`,
    ...atMost(BOSH_LIMIT, ratio.median),
    measured: spreadText(ratio),
    why: `${serverCounts(figures, bosh)} The gateway takes ${frontCounts(figures, megaphone)}, for BOSH ${frontCounts(figures, bosh)}.`,
  };
}

const ms = (figures: Figures, subject: SubjectName, figure: Figure): string =>
  `${figures.median(subject, figure).toFixed(1)} ms`;

/** What happens in ejabberd for a message, beside what happens in that of another. */
function serverCounts(figures: Figures, to: SubjectName): string {
  const of = (subject: SubjectName, figure: Figure, digits: number) =>
    figures.median(subject, figure).toFixed(digits);
  const against = (name: Count, digits: number): string =>
    `${of(megaphone, count(name), digits)} instead of ${of(to, count(name), digits)}`;
  return (
    `In ejabberd ${of(megaphone, serverCpu, 3)} instead of ${of(to, serverCpu, 3)} ms: ${against('serverCalls', 1)} system calls, ` +
    `${against('serverWakeUps', 1)} threads woken, ${against('schedulings', 1)} processes scheduled in, ` +
    `${against('reductions', 0)} reductions, ${against('collections', 1)} garbage collections.`
  );
}

const frontCounts = (figures: Figures, subject: SubjectName): string =>
  `${figures.median(subject, frontCpu).toFixed(3)} ms with ${figures.median(subject, count('frontCalls')).toFixed(1)} system calls and ` +
  `${figures.median(subject, count('frontWakeUps')).toFixed(1)} wake-ups`;
