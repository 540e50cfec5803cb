/** What each kind of fault came to, for docs/chaos.md. */

import type { Step } from './checker.js';

const HEAD = [
  'fault',
  'times',
  'lost',
  'gone',
  'doubled',
  'out of order',
  'logins',
  'errors',
  'back after (median, longest)',
];

/** Markdown. @param names the kinds, in the order in which they are told */
export function table(steps: readonly Step[], names: Readonly<Record<string, string>>): string {
  const rows = Object.entries(names).flatMap(([fault, name]) => {
    const those = steps.filter((step) => step.fault === fault);
    return those.length === 0 ? [] : [[name, ...figures(those)]];
  });
  const all = ['all', ...figures(steps.filter(({ fault }) => fault in names))];
  return [HEAD, HEAD.map(() => '---'), ...rows, all].map((row) => `| ${row.join(' | ')} |`).join('\n');
}

function figures(steps: readonly Step[]): string[] {
  const sum = (of: (step: Step) => number): number => steps.reduce((total, step) => total + of(step), 0);
  const broken = (invariant: string): number =>
    sum(({ violations }) => violations.filter((violation) => violation.invariant === invariant).length);
  const times = steps
    .flatMap(({ at, recoveredAt }) => (recoveredAt === undefined ? [] : [(recoveredAt - at) / 1e6]))
    .sort((a, b) => a - b);
  const median = times[Math.floor(times.length / 2)] ?? 0;
  return [
    `${steps.length}`,
    `${broken('lost')}`,
    `${sum(({ gone }) => gone)}`,
    `${broken('doubled')}`,
    `${broken('reordered')}`,
    `${sum(({ logins }) => logins)}`,
    `${sum(({ errors }) => [...errors.values()].reduce((total, count) => total + count, 0))}`,
    `${median.toFixed(1)} s, ${(times.at(-1) ?? 0).toFixed(1)} s`,
  ];
}
