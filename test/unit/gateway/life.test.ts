/** The life of an exchange, that of a WebSocket and the standing of a node are, cell by cell, what the tables in their headers say. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { LIFE, type Step } from '../../../src/gateway/exchange.js';
import { SOCKET_LIFE, type SocketStep } from '../../../src/gateway/socket.js';
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

const stepOf = ({ to, effect }: Step | SocketStep): string =>
  [to, effect].filter((word) => word !== 'same' && word !== 'none').join('+') || SAME;

for (const [what, file, life] of [
  ['an exchange', 'src/gateway/exchange.ts', LIFE],
  ['a WebSocket', 'src/gateway/socket.ts', SOCKET_LIFE],
] as const) {
  test(what, () => {
    const { columns, rows } = headerTable(file, 'event');
    assert.deepEqual(columns, Object.keys(Object.values(life)[0] ?? {}));
    assert.deepEqual(
      tableOf(life, columns, (step) => stepOf(step as Step | SocketStep)),
      // If it did happen, nothing would change.
      rows.map((row) => row.map((cell) => (cell === NEVER ? SAME : cell))),
    );
  });
}

test('a node', () => {
  const { columns, rows } = headerTable('src/gateway/standing.ts', 'event');
  assert.deepEqual(columns, ['apart', 'absent', 'asked', 'foreign', 'plain', 'module']);
  assert.deepEqual(
    tableOf(STANDINGS, columns, (to) => String(to ?? SAME)),
    rows,
  );
});
