/** The comparison of `make bench` as a table: on a terminal, and in the documentation. */

import { NAMES } from './lib/server.js';
import { table } from './lib/table.js';
import { sumOf, type Usage } from './lib/usage.js';
import type { Results, Side, TrafficResult } from './results.js';

export interface Row {
  readonly name: string;
  readonly own: string;
  readonly megaphone: string;
  /** Megaphone's figure by ejabberd's own. */
  readonly ratio: string;
  /** What was aimed at, and whether it was reached. */
  readonly goal: string;
}

type Format = (value: number) => string;

const kilobytes: Format = (bytes) => `${(bytes / 1000).toFixed(1)} kB`;
const cpu: Format = (seconds) => `${(seconds * 1000).toFixed(3)} ms`;
const ms: Format = (value) => `${value.toFixed(1)} ms`;
const count: Format = (value) => value.toFixed(0);

interface Goal {
  readonly text: string;
  isMet(own: number, megaphone: number): boolean;
}

const atMost = (ratio: number): Goal => ({
  text: `at most ${ratio.toFixed(2)}`,
  isMet: (own, megaphone) => megaphone <= ratio * own,
});
const atLeast = (ratio: number): Goal => ({
  text: `at least ${ratio.toFixed(2)}`,
  isMet: (own, megaphone) => megaphone >= ratio * own,
});

/** Messages a second up to which latency need only be as low as ejabberd's own. */
const QUIET_RATE = 500;
/** Bytes for each idle user. */
const MEMORY_GOAL: Goal = { text: 'at most 13 kB', isMet: (_, megaphone) => megaphone <= 13_000 };

const NOTHING_LOST: Goal = { text: '0', isMet: (_, megaphone) => megaphone === 0 };

export function comparison(results: Results): Row[] {
  const row = (name: string, of: (side: Side) => number, format: Format, goal?: Goal): Row => {
    const [own, megaphone] = [of(results.own), of(results.megaphone)];
    return {
      name,
      own: format(own),
      megaphone: format(megaphone),
      ratio: own === 0 ? '' : (megaphone / own).toFixed(2),
      goal: goal === undefined ? '' : `${goal.text}: ${goal.isMet(own, megaphone) ? 'yes' : 'no'}`,
    };
  };
  const usage = (name: string, of: (side: Side) => Usage, format: Format, goal?: Goal): Row[] => [
    row(`${name}: server`, (side) => of(side).ejabberd, format),
    row('— gateway', (side) => of(side).gateway, format),
    row('— sum', (side) => sumOf(of(side)), format, goal),
  ];
  const at = ({ rate }: TrafficResult, index: number): Row[] => {
    const of = (side: Side): TrafficResult => {
      const found = side.traffic[index];
      if (found === undefined) throw new Error(`nothing was measured at ${rate}/s`);
      return found;
    };
    const latency: Goal =
      rate <= QUIET_RATE ? atMost(1) : { text: 'below 1.00', isMet: (own, megaphone) => megaphone < own };
    return [
      ...usage(`CPU for a message at ${rate}/s`, (side) => of(side).cpu, cpu, atMost(0.75)),
      row('— load generator', (side) => of(side).loadCpu, cpu),
      row(`Latency at ${rate}/s: p50`, (side) => of(side).latency.p50, ms),
      row('— p90', (side) => of(side).latency.p90, ms),
      row('— p99', (side) => of(side).latency.p99, ms, latency),
      row('— late by seconds', (side) => of(side).late, count),
    ];
  };
  return [
    ...usage('Memory of an idle user', (side) => side.memory, kilobytes, MEMORY_GOAL),
    row('Logins a second, at most', (side) => side.logins.perSecond, count, atLeast(2)),
    ...usage('CPU for a login', (side) => side.logins.cpu, cpu),
    row('— load generator', (side) => side.logins.loadCpu, cpu),
    ...results.own.traffic.flatMap(at),
    row('Highest clean rate, messages a second', (side) => side.highest, count, atLeast(2)),
    row('Messages lost in all', (side) => side.lost, count, NOTHING_LOST),
  ];
}

const HEAD = ['', NAMES.own, NAMES.megaphone, 'ratio', 'goal'] as const;

const cells = ({ name, own, megaphone, ratio, goal }: Row): readonly string[] => [
  name,
  own,
  megaphone,
  ratio,
  goal,
];

export const textTable = (rows: readonly Row[]): string => table([HEAD, ...rows.map(cells)]);

export function markdownTable(rows: readonly (readonly string[])[]): string {
  const line = (row: readonly string[]) => `| ${row.join(' | ')} |`;
  const [head = [], ...body] = rows;
  const rule = head.map((_, column) => (column === 0 ? '---' : '---:'));
  return [line(head), line(rule), ...body.map(line)].join('\n');
}

export const markdownComparison = (rows: readonly Row[]): string => markdownTable([HEAD, ...rows.map(cells)]);
