/** The life of a worker's place: its header's table, and when the next is started, after which pause, and when never again. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { replacement, SLOT_LIFE, type SlotEvent, type SlotPhase } from '../../../src/workers/slot-life.js';
import { headerTable, SAME } from '../../support/header-table.js';

const after = (...events: readonly SlotEvent[]): SlotPhase =>
  events.reduce<SlotPhase>((phase, event) => SLOT_LIFE[event][phase] ?? phase, 'starting');

test('it is as its header says', () => {
  const { columns, rows } = headerTable('src/workers/slot-life.ts', 'event');
  const phases: readonly SlotPhase[] = ['starting', 'running', 'pausing', 'stopping'];
  assert.deepEqual(columns, phases);
  const table = Object.entries(SLOT_LIFE).map(([event, row]) => [
    event,
    ...phases.map((phase) => row[phase] ?? SAME),
  ]);
  assert.deepEqual(table, rows);
});

test('one that has been up is replaced, as often as it ends', () => {
  assert.equal(after('up'), 'running');
  assert.equal(after('up', 'ended'), 'pausing');
  assert.equal(after('up', 'ended', 'pauseOver'), 'running');
  assert.equal(after('up', 'ended', 'pauseOver', 'ended'), 'pausing');
});

test('a first start that fails is not repeated', () => {
  assert.equal(after('ended'), 'starting');
});

test('nothing begins after the stop, whatever was under way', () => {
  for (const before of [[], ['up'], ['up', 'ended']] as SlotEvent[][]) {
    for (const last of ['up', 'ended', 'pauseOver', 'stop'] as const) {
      assert.equal(after(...before, 'stop', last), 'stopping');
    }
  }
});

test('the next comes at once behind one that lived, after pauses of up to 10 s behind those that do not', () => {
  assert.deepEqual(replacement(7, 10_000, 1), { failures: 0, isFailing: false, pause: 0 });
  let failures = 0;
  const pauses: number[] = [];
  for (let end = 1; end <= 8; end += 1) {
    const next = replacement(failures, 9_999, 1);
    ({ failures } = next);
    assert.equal(next.isFailing, end >= 3);
    pauses.push(next.pause);
  }
  assert.deepEqual(pauses, [250, 500, 1000, 2000, 4000, 8000, 10_000, 10_000]);
});
