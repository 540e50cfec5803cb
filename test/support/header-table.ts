/** The table in the first comment of a source file, as a value: so that a test holds the source to what its header says. */

import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../scripts/support/root.js';

export interface HeaderTable {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly [name: string, ...cells: string[]])[];
}

/** Nothing changes. */
export const SAME = '·';
/** It does not happen. */
export const NEVER = '–';

/** @param corner what stands over its first column; the table ends at a line without text */
export function headerTable(file: string, corner: string): HeaderTable {
  const [header = ''] = readFileSync(join(root, file), 'utf8').split('*/', 1);
  const lines = header.split('\n').map((line) =>
    line
      .replace(/^\/?\s*\*+/, '')
      .trim()
      .split(/ {2,}/),
  );
  const start = lines.findIndex(([first]) => first === corner);
  assert.ok(start >= 0, `${file} has no table of ${corner}`);
  const end = lines.findIndex(([first], index) => index > start && first === '');
  const [columns = [], ...rows] = lines.slice(start, end);
  for (const row of rows) assert.equal(row.length, columns.length, `${file}: ${row.join(' | ')}`);
  return { columns: columns.slice(1), rows: rows.map(([name = '', ...cells]) => [name, ...cells]) };
}
