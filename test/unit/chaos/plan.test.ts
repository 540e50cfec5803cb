/** What the nemesis will do: the same for the same seed, all that it was asked for, and nothing else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GROUPS, type Group, lossOf, plan, type Step, tell } from '../../../scripts/chaos/plan.js';

const ALL: readonly Group[] = ['gateways', 'links', 'nodes', 'partitions'];
const SIZE = { gateways: 2, nodes: 3 };

function first(count: number, seed: number, which: readonly Group[]): Step[] {
  const coming = plan(seed, which, SIZE);
  return Array.from({ length: count }, () => coming.next().value);
}

const groups = fc
  .uniqueArray(fc.constantFrom(...(Object.keys(GROUPS) as Group[])), { minLength: 1 })
  .map((all) => [...all].sort());

test('is the same for the same seed, and another for another', () => {
  fc.assert(
    fc.property(fc.nat(), groups, (seed, which) => {
      assert.deepEqual(first(50, seed, which), first(50, seed, which));
      assert.notDeepEqual(first(50, seed, which), first(50, seed + 1, which));
    }),
  );
});

test('has every fault of the groups, and none of others, for each gateway and node', () => {
  for (const which of [['gateways'], ['links'], ['nodes'], ['partitions'], ALL] as Group[][]) {
    const steps = first(1_000, 1, which);
    const expected = which.flatMap((group) => Object.keys(GROUPS[group])).sort();
    assert.deepEqual([...new Set(steps.map(({ fault }) => fault))].sort(), expected);
    assert.deepEqual([...new Set(steps.map(({ gateway }) => gateway))].sort(), [1, 2]);
    assert.deepEqual([...new Set(steps.map(({ node }) => node))].sort(), [1, 2, 3]);
    assert.deepEqual([...new Set(steps.map(({ direction }) => direction))].sort(), ['back', 'both', 'there']);
  }
});

test('only the death of a server, and servers that did not see each other, may lose anything', () => {
  const losses = new Map(first(1_000, 1, ALL).map((step) => [step.fault, lossOf(step)]));
  const losing = [...losses].filter(([, loss]) => loss !== 'nothing');
  assert.deepEqual(
    new Map(losing),
    new Map([
      ['kill-node', 'memory'],
      ['split-nodes', 'storage'],
    ]),
  );
});

test('cuts a node off from another one', () => {
  for (const { peer, node } of first(1_000, 1, ['partitions']))
    assert.ok(peer >= 1 && peer <= 3 && peer !== node);
});

test('tells each fault in words of its own', () => {
  const told = new Map(first(1_000, 1, ALL).map((step) => [step.fault, tell(step)]));
  assert.equal(new Set(told.values()).size, told.size);
});
