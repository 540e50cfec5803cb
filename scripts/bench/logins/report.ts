/** Logins and idle users in docs/benchmarks.md. */

import { COUNTS, type Count } from '../lib/counts.js';
import { GOALS, type Goal, verdict } from '../lib/goals.js';
import { describeRun, type Run } from '../lib/publish.js';
import { median, ratioOf, ratioText } from '../lib/rounds.js';
import { type Kind, NAMES } from '../lib/server.js';
import { markdownTable } from '../lib/table.js';
import { sumOf, type Usage } from '../lib/usage.js';
import type { Round } from './subject.js';

export interface LoginResults extends Run {
  readonly rounds: Readonly<Record<Kind, readonly Round[]>>;
  /** Bytes of an idle user, where measured. */
  readonly memory: Partial<Record<Kind, Usage>>;
}

const HEAD = ['', NAMES.own, NAMES.megaphone, 'ratio', 'goal'];

/** What makes a login dear. */
const SHOWN: readonly Count[] = ['requests', 'reductions', 'schedulings', 'collections', 'ejabberdWakeUps'];

/** Markdown, from runs on several numbers of cores. */
export function loginReport(all: readonly LoginResults[]): string {
  const measured = all.find(({ memory }) => memory.megaphone !== undefined);
  const runs = all.map(
    ({ machine, cores, date, isTrial }) =>
      `${cores.count} cores${cores.areShared ? ', shared with the load generator' : ''}: ${describeRun(machine, date, isTrial)}`,
  );
  return [
    runs.map((run) => `- ${run}`).join('\n'),
    markdownTable([
      HEAD,
      ...(measured === undefined ? [] : memoryRows(measured.memory)),
      ...all.flatMap(loginRows),
    ]),
    ...all.flatMap(explanation),
  ].join('\n\n');
}

function memoryRows({ own, megaphone }: LoginResults['memory']): string[][] {
  if (own === undefined || megaphone === undefined) return [];
  const row = (name: string, of: (usage: Usage) => number, goal?: Goal): string[] => {
    const [a, b] = [of(own), of(megaphone)];
    const ratio = a === 0 ? '' : (b / a).toFixed(2);
    const reached = goal === undefined ? '' : verdict(goal, b / a, b);
    return [name, `${(a / 1000).toFixed(1)} kB`, `${(b / 1000).toFixed(1)} kB`, ratio, reached];
  };
  return [
    row('Memory of an idle user: ejabberd', ({ ejabberd }) => ejabberd),
    row('— gateway', ({ gateway }) => gateway),
    row('— sum', sumOf, GOALS.memory),
  ];
}

type Of = (round: Round) => number;
const perSecond: Of = (round) => round.perSecond;
const cpu: Of = (round) => sumOf(round.cpu) * 1000;
const loadCpu: Of = (round) => round.loadCpu * 1000;

function loginRows({ cores, rounds }: LoginResults): string[][] {
  const row = (name: string, of: Of, digits: number, unit: string, goal?: Goal): string[] => {
    const [own, megaphone] = [rounds.own.map(of), rounds.megaphone.map(of)];
    const reached = goal === undefined ? '' : verdict(goal, ratioOf(megaphone, own).median);
    const text = (values: readonly number[]) => `${median(values).toFixed(digits)}${unit}`;
    return [name, text(own), text(megaphone), ratioText(megaphone, own), reached];
  };
  return [
    row(`**${cores.count} cores**: logins a second, at most`, perSecond, 0, '', GOALS.logins),
    row('— processor time of a login: ejabberd', (round) => round.cpu.ejabberd * 1000, 3, ' ms'),
    row('— gateway', (round) => round.cpu.gateway * 1000, 3, ' ms'),
    row('— sum', cpu, 3, ' ms'),
    row('— load generator', loadCpu, 3, ' ms'),
    ...SHOWN.map((name) => row(COUNTS[name], (round) => round.counts[name] ?? Number.NaN, 1, '')),
  ];
}

function explanation({ cores, rounds }: LoginResults): string[] {
  const ratio = ratioOf(rounds.megaphone.map(perSecond), rounds.own.map(perSecond)).median;
  if (GOALS.logins.isMet(ratio)) return [];
  const of = (kind: Kind, figure: Of) => median(rounds[kind].map(figure));
  const busy = (kind: Kind): number => of(kind, cpu) + (cores.areShared ? of(kind, loadCpu) : 0);
  const used = (kind: Kind): string => ((busy(kind) * of(kind, perSecond)) / 10 / cores.count).toFixed(0);
  const reductions = (kind: Kind): string =>
    of(kind, ({ counts }) => counts.reductions ?? Number.NaN).toFixed(0);
  return [
    `**${ratio.toFixed(2)} times the logins on ${cores.count} cores**: a login takes ${busy('megaphone').toFixed(2)} ms of their ` +
      `time instead of ${busy('own').toFixed(2)}${cores.areShared ? ', with that of the load generator' : ''}, which would ` +
      `allow ${(busy('own') / busy('megaphone')).toFixed(2)} times as many; logins kept them busy for ${used('megaphone')} ` +
      `and ${used('own')} % of the time. In ejabberd a login takes ${reductions('megaphone')} reductions instead of ${reductions('own')}.`,
  ];
}
