/** Logins and idle users in docs/benchmarks.md, and what is to be reached of them. */

import { TRANSPORTS } from '../../load/user.js';
import { COUNTS, type Count } from '../lib/counts.js';
import { describeRun, type Run } from '../lib/publish.js';
import { median, ratioOf, spreadText } from '../lib/rounds.js';
import { NAMES, PAIRS, SERVERS, type SubjectName, TRANSPORT_NAMES } from '../lib/subjects.js';
import { markdownTable } from '../lib/table.js';
import { atLeast, type Target } from '../lib/targets.js';
import { sumOf, type Usage } from '../lib/usage.js';
import type { Round } from './subject.js';

export interface LoginResults extends Run {
  readonly rounds: Readonly<Partial<Record<SubjectName, readonly Round[]>>>;
  /** Bytes of an idle user, where measured. */
  readonly memory: Readonly<Partial<Record<SubjectName, Usage>>>;
}

const LOGINS_LIMIT = 1.3;
/** Bytes of an idle user. */
const MEMORY_LIMITS: Usage = { server: 6_000, front: 3_500 };

/** What makes a login dear. */
const SHOWN: readonly Count[] = ['requests', 'reductions', 'schedulings', 'collections', 'serverWakeUps'];

const { own, megaphone } = PAIRS.websocket;

/** Markdown, from runs on several numbers of cores. */
export function loginReport(all: readonly LoginResults[]): string {
  const measured = all.find(({ memory }) => memory[megaphone] !== undefined);
  const runs = all.map(
    ({ machine, cores, date, isTrial }) =>
      `${cores.count} cores${cores.areShared ? ', shared with the load generator' : ''}: ${describeRun(machine, date, isTrial)}`,
  );
  const ratios = TRANSPORTS.map((transport) => `${TRANSPORT_NAMES[transport]}: Megaphone by own`);
  return [
    runs.map((run) => `- ${run}`).join('\n'),
    markdownTable([
      ['', ...SERVERS.map((name) => NAMES[name]), ...ratios],
      ...(measured === undefined ? [] : memoryRows(measured.memory)),
      ...all.flatMap(loginRows),
    ]),
  ].join('\n\n');
}

/** Of the run with the most cores that has them. */
export function loginTargets(all: readonly LoginResults[]): Target[] {
  const memory = all.map((results) => results.memory[megaphone]).find((usage) => usage !== undefined);
  const [first] = all;
  return [
    ...(memory === undefined
      ? []
      : [
          memoryTarget('ejabberd', memory.server, MEMORY_LIMITS.server),
          memoryTarget('the gateway', memory.front, MEMORY_LIMITS.front),
        ]),
    ...(first === undefined ? [] : loginsTarget(first)),
  ];
}

const kilobytes = (bytes: number): string => `${(bytes / 1000).toFixed(1)} kB`;

const memoryTarget = (where: string, bytes: number, limit: number): Target => ({
  name: `Memory of an idle user in ${where}`,
  wanted: `at most ${kilobytes(limit)}`,
  measured: kilobytes(bytes),
  isMet: bytes <= limit,
  why: `${kilobytes(bytes)}, ${(bytes / limit).toFixed(2)} of it; \`make bench-memory\` shows where it goes.`,
});

function memoryRows(memory: LoginResults['memory']): string[][] {
  const row = (name: string, of: (usage: Usage) => number): string[] => {
    const bytes = (subject: SubjectName): number => {
      const usage = memory[subject];
      return usage === undefined ? Number.NaN : of(usage);
    };
    const ratios = TRANSPORTS.map((way) => bytes(PAIRS[way].megaphone) / bytes(PAIRS[way].own));
    return [
      name,
      ...SERVERS.map(bytes).map((value) => (Number.isNaN(value) ? '–' : kilobytes(value))),
      ...ratios.map((ratio) => (Number.isFinite(ratio) ? ratio.toFixed(2) : '')),
    ];
  };
  return [
    row('Memory of an idle user: server', ({ server }) => server),
    row('— gateway', ({ front }) => front),
    row('— sum', sumOf),
  ];
}

type Of = (round: Round) => number;
const perSecond: Of = (round) => round.perSecond;
const cpu: Of = (round) => sumOf(round.cpu) * 1000;
const loadCpu: Of = (round) => round.loadCpu * 1000;
const count =
  (name: Count): Of =>
  ({ counts }) =>
    counts[name] ?? Number.NaN;

function loginRows({ cores, rounds }: LoginResults): string[][] {
  const row = (name: string, of: Of, digits: number, unit: string): string[] => {
    const values = (subject: SubjectName) => (rounds[subject] ?? []).map(of);
    const text = (middle: number) => (Number.isNaN(middle) ? '–' : `${middle.toFixed(digits)}${unit}`);
    const ratios = TRANSPORTS.map((way) => ratioOf(values(PAIRS[way].megaphone), values(PAIRS[way].own)));
    return [name, ...SERVERS.map((subject) => text(median(values(subject)))), ...ratios.map(spreadText)];
  };
  return [
    row(`**${cores.count} cores**: logins a second, at most`, perSecond, 0, ''),
    row('— processor time of a login: server', (round) => round.cpu.server * 1000, 3, ' ms'),
    row('— gateway', (round) => round.cpu.front * 1000, 3, ' ms'),
    row('— sum', cpu, 3, ' ms'),
    row('— load generator', loadCpu, 3, ' ms'),
    ...SHOWN.map((name) => row(COUNTS[name], count(name), 1, '')),
  ];
}

function loginsTarget({ cores, rounds }: LoginResults): Target[] {
  const [mine = [], theirs = []] = [rounds[megaphone], rounds[own]];
  if (mine.length === 0 || theirs.length === 0) return [];
  const ratio = ratioOf(mine.map(perSecond), theirs.map(perSecond));
  const of = (all: readonly Round[], figure: Of) => median(all.map(figure));
  const busy = (all: readonly Round[]): number => of(all, cpu) + (cores.areShared ? of(all, loadCpu) : 0);
  const used = (all: readonly Round[]): string =>
    ((busy(all) * of(all, perSecond)) / 10 / cores.count).toFixed(0);
  const against = (name: Count): string =>
    `${of(mine, count(name)).toFixed(0)} instead of ${of(theirs, count(name)).toFixed(0)}`;
  return [
    {
      name: "Logins a second, by own WebSocket's",
      ...atLeast(LOGINS_LIMIT, ratio.median),
      measured: `${spreadText(ratio)}: ${of(mine, perSecond).toFixed(0)}, own ${of(theirs, perSecond).toFixed(0)}`,
      why:
        `A login takes ${busy(mine).toFixed(2)} ms of the ${cores.count} cores' time instead of ${busy(theirs).toFixed(2)}` +
        `${cores.areShared ? ', with that of the load generator' : ''}, which would allow ` +
        `${(busy(theirs) / busy(mine)).toFixed(2)} times as many; logins kept them busy for ${used(mine)} and ${used(theirs)} % ` +
        `of the time. In ejabberd a login takes ${against('reductions')} reductions, and processes are scheduled in ${against('schedulings')} times.`,
    },
  ];
}
