/** The messages experiment in docs/benchmarks.md: tables by pattern, and counts. */

import type { Pattern } from '../../load/schedule.js';
import { TRANSPORTS } from '../../load/user.js';
import { describeCores } from '../lib/cores.js';
import { COUNTS, type Count } from '../lib/counts.js';
import { describeRun } from '../lib/publish.js';
import { spreadText } from '../lib/rounds.js';
import { NAMES, PAIRS, SUBJECTS, type SubjectName, TRANSPORT_NAMES } from '../lib/subjects.js';
import { markdownTable } from '../lib/table.js';
import {
  count,
  cpu,
  type Figure,
  Figures,
  lag99,
  late,
  loadCpu,
  p50,
  p99,
  patternsOf,
  ratesOf,
  serverCpu,
} from './figures.js';
import type { MessageResults } from './results.js';

export const PATTERN_NAMES: Readonly<Record<Pattern, string>> = {
  random: 'Random users to random others',
  next: 'Each to the next, round and round',
};

/** Milliseconds: longer than any request is held. */
const NEVER_MS = 100_000;

type Format = (value: number) => string;
/** For what was not measured. */
const orNothing =
  (format: Format): Format =>
  (value) =>
    Number.isNaN(value) ? '–' : format(value);
const cpuMs = orNothing((value) => `${value.toFixed(3)} ms`);
const ms = orNothing((value) => (value > NEVER_MS ? 'never' : `${value.toFixed(1)} ms`));
const whole = orNothing((value) => value.toFixed(0));
const few = orNothing((value) => value.toFixed(value < 100 ? 1 : 0));

const RATIOS = TRANSPORTS.map((transport) => `${TRANSPORT_NAMES[transport]}: Megaphone by own`);

export function messageTable(results: MessageResults, pattern: Pattern): string[][] {
  const rows = ratesOf(results).flatMap((rate) => {
    const figures = new Figures(results, pattern, rate);
    const ratios = (figure: Figure): string[] =>
      TRANSPORTS.map((transport) => PAIRS[transport]).map(({ own, megaphone }) =>
        spreadText(figures.ratio(megaphone, own, figure)),
      );
    const row = (name: string, figure: Figure, format: Format): string[] => [
      name,
      ...SUBJECTS.map((subject) => format(figures.median(subject, figure))),
      ...ratios(figure),
    ];
    const isLate = SUBJECTS.some((subject) => figures.median(subject, late) > 0);
    return [
      row(`**${rate} a second**: processor time`, cpu, cpuMs),
      row('— of it the server', serverCpu, cpuMs),
      row('— p50', p50, ms),
      row('— p99', p99, ms),
      // None at all on one side makes no ratio.
      ...(isLate ? [[...row('— late by seconds', late, whole).slice(0, 1 + SUBJECTS.length), '', '']] : []),
    ];
  });
  return [['', ...SUBJECTS.map((subject) => NAMES[subject]), ...RATIOS], ...rows];
}

/** What happens for a message at one rate. */
export function countTable(results: MessageResults, pattern: Pattern, rate: number): string[][] {
  const figures = new Figures(results, pattern, rate);
  const row = (name: string, figure: Figure, format: Format): string[] => [
    name,
    ...SUBJECTS.map((subject) => format(figures.median(subject, figure))),
  ];
  return [
    [`${rate} a second`, ...SUBJECTS.map((subject) => NAMES[subject])],
    ...Object.entries(COUNTS).map(([name, label]) => row(label, count(name as Count), few)),
    row('load generator: processor time', loadCpu, cpuMs),
    row('— late in sending, p99', lag99, ms),
  ];
}

export function highestTable({ highest, lost }: MessageResults): string[][] {
  const rows = [...new Set(highest.map(({ pattern }) => pattern))].map((pattern) => {
    const of = (wanted: SubjectName): number =>
      highest.find(({ pattern: one, subject }) => one === pattern && subject === wanted)?.rate ?? Number.NaN;
    const ratios = TRANSPORTS.map((transport) => of(PAIRS[transport].megaphone) / of(PAIRS[transport].own));
    return [
      `${PATTERN_NAMES[pattern]}: at most, a second`,
      ...SUBJECTS.map((subject) => whole(of(subject))),
      ...ratios.map(orNothing((ratio) => ratio.toFixed(2))),
    ];
  });
  return [
    ['', ...SUBJECTS.map((subject) => NAMES[subject]), ...RATIOS],
    ...rows,
    ['Messages lost in all', ...SUBJECTS.map((subject) => whole(lost[subject] ?? Number.NaN)), '', ''],
  ];
}

/** Markdown. */
export function messageReport(results: MessageResults): string {
  const { machine, cores, date, isTrial } = results;
  // The pattern that is nearer to what people do comes first.
  const patterns = patternsOf(results).toSorted().toReversed();
  return [
    `### On ${cores.count} cores`,
    `${describeCores(cores)}. ${results.settings}. ${describeRun(machine, date, isTrial)}`,
    ...patterns.flatMap((pattern) => [
      `#### ${PATTERN_NAMES[pattern]}`,
      markdownTable(messageTable(results, pattern)),
    ]),
    '#### The highest clean rate, and losses',
    markdownTable(highestTable(results)),
    ...patterns.flatMap((pattern) => [
      `#### Counts for a message: ${PATTERN_NAMES[pattern].toLowerCase()}`,
      ...ratesOf(results).map((rate) => markdownTable(countTable(results, pattern, rate))),
    ]),
  ].join('\n\n');
}
