/** The life of an exchange and the standing of a node are, cell by cell, what the tables in their headers say. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIFE, type Step } from '../../../src/gateway/exchange.js';
import { STANDINGS } from '../../../src/gateway/standing.js';
import { headerTable, NEVER, SAME } from '../../support/header-table.js';

const tableOf = (
  life: object,
  states: readonly string[],
  cellOf: (cell: unknown) => string,
): readonly (readonly string[])[] =>
  Object.entries(life).map(([event, row]: [string, Readonly<Record<string, unknown>>]) => {
    assert.deepEqual(
      Object.keys(row).filter((state) => !states.includes(state)),
      [],
    );
    return [event, ...states.map((state) => cellOf(row[state]))];
  });

const stepOf = ({ to, effect }: Step): string =>
  [to, effect].filter((word) => word !== 'same' && word !== 'none').join('+') || SAME;

test('an exchange', () => {
  const { columns, rows } = headerTable('src/gateway/exchange.ts', 'event');
  assert.deepEqual(columns, Object.keys(LIFE.turn));
  assert.deepEqual(
    tableOf(LIFE, columns, (step) => stepOf(step as Step)),
    // If it did happen, nothing would change.
    rows.map((row) => row.map((cell) => (cell === NEVER ? SAME : cell))),
  );
});

test('a node', () => {
  const { columns, rows } = headerTable('src/gateway/standing.ts', 'event');
  assert.deepEqual(columns, ['apart', 'absent', 'asked', 'foreign', 'plain', 'module']);
  assert.deepEqual(
    tableOf(STANDINGS, columns, (to) => String(to ?? SAME)),
    rows,
  );
});
