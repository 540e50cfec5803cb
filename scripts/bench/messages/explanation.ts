/** A sentence or two for each ratio above its goal, made of counts. */

import type { Count } from '../lib/counts.js';
import { GOALS } from '../lib/goals.js';
import type { SubjectName } from '../lib/server.js';
import {
  count,
  cpu,
  ejabberdCpu,
  type Figure,
  Figures,
  frontCpu,
  lag99,
  p99,
  patternsOf,
  ratesOf,
} from './figures.js';
import type { MessageResults } from './results.js';

const SHORT = { random: 'random', next: 'each to the next' } as const;

export function explanations(results: MessageResults): string[] {
  return patternsOf(results)
    .toSorted()
    .toReversed()
    .flatMap((pattern) => ratesOf(results).map((rate) => new Figures(results, pattern, rate)))
    .flatMap((figures) => [...cpuLine(figures), ...p99Line(figures)]);
}

const title = ({ pattern, rate }: Figures, what: string, ratio: number): string =>
  `**${SHORT[pattern]}, ${rate} a second: ${what} ${ratio.toFixed(2)}.**`;

function cpuLine(figures: Figures): string[] {
  const ratio = figures.ratio('own', cpu).median;
  if (GOALS.cpu.isMet(ratio)) return [];
  const of = (subject: SubjectName, figure: Figure, digits = 1) =>
    figures.median(subject, figure).toFixed(digits);
  const against = (name: Count, digits: number): string =>
    `${of('megaphone', count(name), digits)} instead of ${of('own', count(name), digits)}`;
  const front = (subject: SubjectName): string =>
    `${of(subject, frontCpu, 3)} ms with ${of(subject, count('frontCalls'))} system calls and ` +
    `${of(subject, count('frontWakeUps'))} wake-ups`;
  const room = GOALS.cpu.limit * figures.median('own', cpu) - figures.median('megaphone', ejabberdCpu);
  return [
    `${title(figures, 'processor time', ratio)} In ejabberd it is ${figures.ratio('own', ejabberdCpu).median.toFixed(2)} ` +
      `(${of('megaphone', ejabberdCpu, 3)} instead of ${of('own', ejabberdCpu, 3)} ms): ` +
      `${against('ejabberdCalls', 1)} system calls, ${against('ejabberdWakeUps', 1)} threads woken, ` +
      `${against('schedulings', 1)} processes scheduled in, ${against('reductions', 0)} reductions. ` +
      `The gateway adds ${front('megaphone')}, for the same ${of('megaphone', count('requests'))} requests and as many answers; ` +
      `haproxy adds ${front('haproxy')}. With ejabberd's part as it is, the goal leaves ${room > 0 ? `${room.toFixed(3)} ms` : 'nothing'} for whatever stands in front.`,
  ];
}

function p99Line(figures: Figures): string[] {
  const { median: ratio, low, high } = figures.ratio('own', p99);
  if (GOALS.p99.isMet(ratio)) return [];
  const ms = (subject: SubjectName, figure: Figure) => `${figures.median(subject, figure).toFixed(1)} ms`;
  const woken = (subject: SubjectName): string =>
    (['ejabberdWakeUps', 'frontWakeUps'] as const)
      .map((name) => figures.median(subject, count(name)))
      .reduce((sum, value) => sum + value)
      .toFixed(1);
  return [
    `${title(figures, 'p99', ratio)} ${ms('megaphone', p99)} instead of ${ms('own', p99)} ` +
      `(${low.toFixed(2)} to ${high.toFixed(2)} by round); behind haproxy ${ms('haproxy', p99)}. A message makes two hops more on its way: ` +
      `${woken('megaphone')} threads woken in all, own ${woken('own')}, behind haproxy ${woken('haproxy')}. ` +
      `The load generator itself sent late by ${ms('megaphone', lag99)} and ${ms('own', lag99)} (p99).`,
  ];
}
