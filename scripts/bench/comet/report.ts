/** The table of `make bench-comet`: what is wanted, what was measured, and the same of others, with the ratio to the gateway's. */

import { markdownTable } from '../lib/table.js';
import { SUBJECTS, type SubjectName } from './subject.js';

export interface Row {
  readonly what: string;
  readonly unit: string;
  /** Digits behind the point. Default 0. */
  readonly digits?: number;
  readonly measured: Readonly<Partial<Record<SubjectName, number>>>;
  /** What the gateway is to reach; without it there is nothing to miss. */
  readonly atMost?: number;
  readonly atLeast?: number;
}

const format = (value: number, { unit, digits = 0 }: Row): string => {
  const options = { minimumFractionDigits: digits, maximumFractionDigits: digits };
  return `${value.toLocaleString('en-US', options)}${unit === '' ? '' : ` ${unit}`}`;
};

function cell(row: Row, name: SubjectName): string {
  const value = row.measured[name];
  if (value === undefined) return '';
  const own = row.measured.gateway;
  // There is no ratio to nothing.
  if (name === 'gateway' || own === undefined || own === 0) return format(value, row);
  const ratio = value / own;
  return `${format(value, row)} (${Number(ratio.toPrecision(2))})`;
}

const isTarget = ({ atMost, atLeast, measured }: Row): boolean =>
  (atMost !== undefined || atLeast !== undefined) && measured.gateway !== undefined;

export const isMet = ({ atMost = Infinity, atLeast = -Infinity, measured: { gateway } }: Row): boolean =>
  gateway !== undefined && gateway <= atMost && gateway >= atLeast;

function wanted(row: Row): string {
  if (row.atMost !== undefined) return `at most ${format(row.atMost, row)}`;
  return row.atLeast === undefined ? '' : `at least ${format(row.atLeast, row)}`;
}

/** Markdown. */
export function cometTable(rows: readonly Row[]): string {
  return markdownTable([
    ['', ...SUBJECTS, 'target', 'met'],
    ...rows.map((row) => [
      row.what,
      ...SUBJECTS.map((name) => cell(row, name)),
      wanted(row),
      isTarget(row) ? (isMet(row) ? 'yes' : '**no**') : '',
    ]),
  ]);
}

/** The last line. */
export function targetsMet(rows: readonly Row[]): string {
  const targets = rows.filter(isTarget);
  return `targets met ${targets.filter(isMet).length} of ${targets.length}`;
}
