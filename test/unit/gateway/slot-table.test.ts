/** The table of open exchanges behaves as a map from ConnIds that are never used twice. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { SlotTable } from '../../../src/gateway/slot-table.js';

test('a freed slot is taken again, with another generation', () => {
  const table = new SlotTable<string>(10);
  const slot = table.add('a');
  const generation = table.generation(slot);
  table.remove(slot);
  assert.equal(table.find(slot, generation), undefined);
  assert.equal(table.add('b'), slot);
  assert.equal(table.find(slot, generation), undefined);
  assert.equal(table.find(slot, table.generation(slot)), 'b');
});

test('slots start at 1, and a full table takes no more', () => {
  const table = new SlotTable<string>(2);
  assert.deepEqual([table.add('a'), table.add('b'), table.add('c')], [1, 2, 0]);
  table.remove(1);
  assert.equal(table.add('d'), 1);
});

test('what never was a slot is found nowhere, and removing it changes nothing', () => {
  const table = new SlotTable<string>(2);
  const slot = table.add('a');
  for (const wrong of [0, 2, 3, 2 ** 32 - 1]) {
    assert.equal(table.find(wrong, 0), undefined);
    table.remove(wrong);
  }
  assert.equal(table.size, 1);
  assert.equal(table.find(slot, 0), 'a');
});

test('it behaves as a map from ConnIds that are never used twice', () => {
  const step = fc.oneof(fc.constant('add' as const), fc.nat(100));
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const table = new SlotTable<number>(8);
      const open = new Map<string, number>();
      const used = new Set<string>();
      steps.forEach((action, index) => {
        if (action === 'add') {
          const slot = table.add(index);
          assert.equal(slot === 0, open.size === 8);
          if (slot === 0) return;
          const connId = `${slot} ${table.generation(slot)}`;
          assert.ok(!used.has(connId));
          used.add(connId);
          open.set(connId, index);
        } else if (open.size > 0) {
          const connId = [...open.keys()][action % open.size] as string;
          table.remove(Number(connId.split(' ')[0]));
          open.delete(connId);
        }
        assert.equal(table.size, open.size);
        for (const connId of used) {
          const [slot, generation] = connId.split(' ').map(Number) as [number, number];
          assert.equal(table.find(slot, generation), open.get(connId));
        }
      });
      const visited: number[] = [];
      table.forEach((exchange) => {
        visited.push(exchange);
      });
      assert.deepEqual(visited.sort(), [...open.values()].sort());
    }),
  );
});
