/** Where this is imported, an exchange meets nothing of which the header of src/gateway/exchange.ts says that it does not happen. */

import assert from 'node:assert/strict';
import { LIFE } from '../../../src/gateway/exchange.js';
import { headerTable, NEVER } from '../../support/header-table.js';

const { columns, rows } = headerTable('src/gateway/exchange.ts', 'event');
const life: Readonly<Record<string, object>> = LIFE;

for (const [event, ...cells] of rows) {
  for (const [index, state] of columns.entries()) {
    if (cells[index] !== NEVER) continue;
    Object.defineProperty(life[event], state, { get: () => assert.fail(`${event}: ${state}`) });
  }
}
