/** Where this is imported, nothing happens of which the headers of the tables of exchanges and sockets say that it does not. */

import assert from 'node:assert/strict';
import { LIFE } from '../../../src/gateway/exchange.js';
import { SOCKET_LIFE } from '../../../src/gateway/socket.js';
import { headerTable, NEVER } from '../../support/header-table.js';

forbid('src/gateway/exchange.ts', LIFE);
forbid('src/gateway/socket.ts', SOCKET_LIFE);

function forbid(file: string, life: Readonly<Record<string, object>>): void {
  const { columns, rows } = headerTable(file, 'event');
  for (const [event, ...cells] of rows) {
    for (const [index, state] of columns.entries()) {
      if (cells[index] !== NEVER) continue;
      Object.defineProperty(life[event], state, { get: () => assert.fail(`${event}: ${state}`) });
    }
  }
}
