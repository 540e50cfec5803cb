/** What the nemesis will do: the same for the same seed, all that it was asked for, and nothing else. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { GROUPS, type Group, mayLose, plan, type Step, tell } from '../../../scripts/chaos/plan.js';

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
  for (const which of [['gateways'], ['links'], ['nodes'], ['gateways', 'links', 'nodes']] as Group[][]) {
    const steps = first(1_000, 1, which);
    const expected = which.flatMap((group) => Object.keys(GROUPS[group])).sort();
    assert.deepEqual([...new Set(steps.map(({ fault }) => fault))].sort(), expected);
    assert.deepEqual([...new Set(steps.map(({ gateway }) => gateway))].sort(), [1, 2]);
    assert.deepEqual([...new Set(steps.map(({ node }) => node))].sort(), [1, 2, 3]);
    assert.deepEqual([...new Set(steps.map(({ direction }) => direction))].sort(), ['back', 'both', 'there']);
  }
});

test('only the death of a server may lose anything', () => {
  const losing = first(1_000, 1, ['gateways', 'links', 'nodes']).filter(mayLose);
  assert.deepEqual([...new Set(losing.map(({ fault }) => fault))], ['kill-node']);
});

test('tells each fault in words of its own', () => {
  const told = new Map(
    first(1_000, 1, ['gateways', 'links', 'nodes']).map((step) => [step.fault, tell(step)]),
  );
  assert.equal(new Set(told.values()).size, told.size);
});
