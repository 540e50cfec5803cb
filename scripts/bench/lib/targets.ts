/** What Megaphone's WebSocket is to reach, beside ejabberd's own. */

import { markdownTable } from './table.js';

export interface Target {
  readonly name: string;
  /** E.g. `at most 0.50 of own's`. */
  readonly wanted: string;
  /** What was measured, in the same words. */
  readonly measured: string;
  readonly isMet: boolean;
  /** Why not, by counts; told where it is not met. */
  readonly why: string;
}

export const atMost = (limit: number, ratio: number): Pick<Target, 'wanted' | 'isMet'> => ({
  wanted: `at most ${limit.toFixed(2)}`,
  isMet: ratio <= limit,
});

export const atLeast = (limit: number, ratio: number): Pick<Target, 'wanted' | 'isMet'> => ({
  wanted: `at least ${limit.toFixed(2)}`,
  isMet: ratio >= limit,
});

/** Markdown. */
export function targetReport(targets: readonly Target[]): string {
  const missed = targets.filter(({ isMet }) => !isMet);
  return [
    `**Targets met: ${targets.length - missed.length} of ${targets.length}.**`,
    markdownTable([
      ['', 'target', 'measured', 'met'],
      ...targets.map(({ name, wanted, measured, isMet }) => [
        name,
        wanted,
        measured,
        isMet ? 'yes' : '**no**',
      ]),
    ]),
    ...(missed.length === 0
      ? []
      : ['What is missed, by counts:', missed.map(({ name, why }) => `- **${name}.** ${why}`).join('\n')]),
  ].join('\n\n');
}

/** For the terminal: the missed ones, and `targets met N of M` in the last line. */
export function targetLines(targets: readonly Target[]): string[] {
  const missed = targets.filter(({ isMet }) => !isMet);
  return [
    ...missed.map(({ name, wanted, measured }) => `missed: ${name}: ${measured}, ${wanted}`),
    `targets met ${targets.length - missed.length} of ${targets.length}`,
  ];
}
