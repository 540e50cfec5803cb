/** The messages experiment in docs/benchmarks.md: tables by pattern, and counts. */

import type { Pattern } from '../../load/schedule.js';
import { describeCores } from '../lib/cores.js';
import { COUNTS, type Count } from '../lib/counts.js';
import { GOALS, type Goal, verdict } from '../lib/goals.js';
import { describeRun } from '../lib/publish.js';
import { NAMES, SUBJECTS } from '../lib/server.js';
import { markdownTable } from '../lib/table.js';
import { explanations } from './explanation.js';
import {
  count,
  cpu,
  ejabberdCpu,
  type Figure,
  Figures,
  lag99,
  late,
  loadCpu,
  p50,
  p99,
  patternsOf,
  ratesOf,
} from './figures.js';
import type { MessageResults } from './results.js';

export const PATTERN_NAMES: Readonly<Record<Pattern, string>> = {
  random: 'Random users to random others',
  next: 'Each to the next, round and round',
};

/** Milliseconds: longer than any request is held. */
const NEVER_MS = 100_000;

type Format = (value: number) => string;
const cpuMs: Format = (value) => `${value.toFixed(3)} ms`;
const ms: Format = (value) => (value > NEVER_MS ? 'never' : `${value.toFixed(1)} ms`);
const whole: Format = (value) => value.toFixed(0);
const few: Format = (value) => (Number.isNaN(value) ? '–' : value.toFixed(value < 100 ? 1 : 0));

export function messageTable(results: MessageResults, pattern: Pattern): string[][] {
  const rows = ratesOf(results).flatMap((rate) => {
    const figures = new Figures(results, pattern, rate);
    const row = (name: string, figure: Figure, format: Format, goal?: Goal): string[] => [
      name,
      ...SUBJECTS.map((subject) => format(figures.median(subject, figure))),
      figures.ratioText('own', figure),
      figures.ratioText('haproxy', figure),
      goal === undefined ? '' : verdict(goal, figures.ratio('own', figure).median),
    ];
    const isLate = SUBJECTS.some((subject) => figures.median(subject, late) > 0);
    return [
      row(`**${rate} a second**: processor time`, cpu, cpuMs, GOALS.cpu),
      row('— of it ejabberd', ejabberdCpu, cpuMs),
      row('— p50', p50, ms),
      row('— p99', p99, ms, GOALS.p99),
      // None at all on one side makes no ratio.
      ...(isLate
        ? [row('— late by seconds', late, whole).map((cell, i) => (i > SUBJECTS.length ? '' : cell))]
        : []),
    ];
  });
  const head = SUBJECTS.map((subject) => NAMES[subject]);
  return [['', ...head, 'Megaphone by own', 'by own behind haproxy', 'goal, by own'], ...rows];
}

/** What happens for a message, with own, own behind haproxy, and Megaphone in each cell. */
export function countTable(results: MessageResults, pattern: Pattern): string[][] {
  const rates = ratesOf(results);
  const all = rates.map((rate) => new Figures(results, pattern, rate));
  const row = (name: string, figure: Figure, format: Format): string[] => [
    name,
    ...all.map((figures) => SUBJECTS.map((subject) => format(figures.median(subject, figure))).join(' / ')),
  ];
  return [
    ['own / behind haproxy / Megaphone', ...rates.map((rate) => `${rate} a second`)],
    ...Object.entries(COUNTS).map(([name, label]) => row(label, count(name as Count), few)),
    row('load generator: processor time', loadCpu, cpuMs),
    row('— late in sending, p99', lag99, ms),
  ];
}

function highestTable({ highest, lost }: MessageResults): string[][] {
  const rows = [...new Set(highest.map(({ pattern }) => pattern))].map((pattern) => {
    const of = (wanted: string) =>
      highest.find(({ pattern: one, subject }) => one === pattern && subject === wanted)?.rate ?? Number.NaN;
    const [own, megaphone] = [of('own'), of('megaphone')];
    const ratio = megaphone / own;
    const goal = verdict(GOALS.highestRate, ratio);
    return [
      `${PATTERN_NAMES[pattern]}: at most, a second`,
      whole(own),
      whole(megaphone),
      ratio.toFixed(2),
      goal,
    ];
  });
  const missing = lost.megaphone ?? Number.NaN;
  return [
    ['', NAMES.own, NAMES.megaphone, 'ratio', 'goal'],
    ...rows,
    [
      'Messages lost in all',
      whole(lost.own ?? Number.NaN),
      whole(missing),
      '',
      verdict(GOALS.lost, Number.NaN, missing),
    ],
  ];
}

/** Markdown. */
export function messageReport(results: MessageResults): string {
  const { machine, cores, date, isTrial } = results;
  // The pattern that is nearer to what people do comes first.
  const patterns = patternsOf(results).toSorted().toReversed();
  const why = explanations(results);
  return [
    `### On ${cores.count} cores`,
    `${describeCores(cores)}. ${describeRun(machine, date, isTrial)}`,
    ...patterns.flatMap((pattern) => [
      `#### ${PATTERN_NAMES[pattern]}`,
      markdownTable(messageTable(results, pattern)),
    ]),
    '#### The highest clean rate, and losses',
    markdownTable(highestTable(results)),
    ...patterns.flatMap((pattern) => [
      `#### Counts for a message: ${PATTERN_NAMES[pattern].toLowerCase()}`,
      markdownTable(countTable(results, pattern)),
    ]),
    '#### What is above its goal, by counts',
    why.length === 0 ? 'Nothing.' : why.map((line) => `- ${line}`).join('\n'),
  ].join('\n\n');
}
