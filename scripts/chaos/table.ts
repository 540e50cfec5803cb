/** What each kind of fault came to, for docs/chaos.md. */

import type { Step } from './checker.js';

type Column = readonly [title: string, figure: (steps: readonly Step[]) => string];

const sum = (steps: readonly Step[], of: (step: Step) => number): string =>
  `${steps.reduce((total, step) => total + of(step), 0)}`;

/** How often that was violated. */
export const broken =
  (invariant: string) =>
  (steps: readonly Step[]): string =>
    sum(
      steps,
      ({ violations }) => violations.filter((violation) => violation.invariant === invariant).length,
    );

export const TIMES: Column = ['times', (steps) => `${steps.length}`];
export const GONE: Column = ['gone', (steps) => sum(steps, ({ gone }) => gone)];
export const errors = (title: string): Column => [
  title,
  (steps) => sum(steps, (step) => [...step.errors.values()].reduce((total, count) => total + count, 0)),
];
export const BACK: Column = ['back after (median, longest)', backAfter];

const COLUMNS: readonly Column[] = [
  TIMES,
  ['lost', broken('lost')],
  GONE,
  ['doubled', broken('doubled')],
  ['out of order', broken('reordered')],
  ['logins', (steps) => sum(steps, ({ logins }) => logins)],
  errors('errors'),
  BACK,
];

/** Markdown. @param names the kinds, in the order in which they are told */
export function table(
  steps: readonly Step[],
  names: Readonly<Record<string, string>>,
  columns: readonly Column[] = COLUMNS,
): string {
  const figures = (those: readonly Step[]): string[] => columns.map(([, figure]) => figure(those));
  const head = ['fault', ...columns.map(([title]) => title)];
  const rows = Object.entries(names).flatMap(([fault, name]) => {
    const those = steps.filter((step) => step.fault === fault);
    return those.length === 0 ? [] : [[name, ...figures(those)]];
  });
  const all = ['all', ...figures(steps.filter(({ fault }) => fault in names))];
  return [head, head.map(() => '---'), ...rows, all].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

function backAfter(steps: readonly Step[]): string {
  const times = steps
    .flatMap(({ at, recoveredAt }) => (recoveredAt === undefined ? [] : [(recoveredAt - at) / 1e6]))
    .sort((a, b) => a - b);
  const median = times[Math.floor(times.length / 2)] ?? 0;
  return `${median.toFixed(1)} s, ${(times.at(-1) ?? 0).toFixed(1)} s`;
}
