/** The tables in the headers are what is done. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Phase } from '../../../src/comet/audience.js';
import { type Comparison, next } from '../../../src/comet/behind.js';
import { LINK, type LinkEvent, type LinkPhase } from '../../../src/comet/link.js';
import { headerTable, NEVER, SAME } from '../../support/header-table.js';

test('a page that does not have what its id has', () => {
  const { columns, rows } = headerTable('src/comet/behind.ts', 'phase');
  for (const [phase, ...cells] of rows) {
    if (phase === 'live') continue;
    for (const [index, cell] of cells.entries()) {
      const event = columns[index] as Comparison | 'lost';
      assert.equal(next(phase as Phase, event), cell === SAME ? phase : cell, `${phase}, ${event}`);
    }
  }
});

test('a link to a router', () => {
  const { columns, rows } = headerTable('src/comet/link.ts', 'phase');
  for (const [phase, ...cells] of rows) {
    for (const [index, cell] of cells.entries()) {
      const event = columns[index] as LinkEvent;
      const { to, effect } = LINK[event][phase as LinkPhase];
      assert.equal(to, cell === SAME || cell === NEVER ? phase : cell, `${phase}, ${event}`);
      const says = cell === SAME || cell === NEVER || cell === 'apart' ? 'none' : SAYS[to];
      assert.equal(effect, says, `${phase}, ${event}: what it says`);
    }
  }
});

const SAYS: Readonly<Record<LinkPhase, string>> = { apart: 'none', asked: 'hello', welcome: 'login' };
