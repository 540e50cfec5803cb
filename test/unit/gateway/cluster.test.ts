/** Whom a gateway dials when its nodes speak, without connections. */

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { pino } from 'pino';
import { Gateway } from '../../../src/gateway/gateway.js';
import { Counters } from '../../../src/observe/counters.js';
import { FakeNode, OPTIONS } from './fake-node.js';

const ONE = 'one@localhost';
const TWO = 'two@localhost';

let dialled: string[];
let node: FakeNode;
let gateway: Gateway;

beforeEach(async () => {
  dialled = [];
  node = new (class extends FakeNode {
    override keepConnected(name: string): void {
      dialled.push(name);
      super.keepConnected(name);
    }
  })();
  gateway = new Gateway(
    node.asNode,
    { ...OPTIONS, nodes: [{ name: ONE }], maxExchanges: 10, maxSockets: 10 },
    new Counters(),
    pino({ level: 'silent' }),
  );
  gateway.cluster.connect();
  await node.up(ONE);
});

function says(...nodes: readonly string[]): void {
  const one = gateway.cluster.find(ONE) ?? assert.fail();
  const known = new Set([ONE, TWO]);
  gateway.cluster.tell(one, { nodes: new Set(nodes), known, state: 'in_service', sessions: 0, weight: 100 });
}

test('whoever is found is dialled once; one that runs again at once, not when its turn would come', async () => {
  says(ONE, TWO);
  assert.deepEqual(dialled, [ONE, TWO]);
  says(ONE, TWO);
  await node.up(TWO);
  node.down(TWO);
  says(ONE);
  assert.deepEqual(dialled, [ONE, TWO]);
  says(ONE, TWO);
  says(ONE, TWO);
  assert.deepEqual(dialled, [ONE, TWO, TWO]);
});

test('one that is there when it runs again needs no dialling', async () => {
  says(ONE, TWO);
  await node.up(TWO);
  says(ONE);
  says(ONE, TWO);
  assert.deepEqual(dialled, [ONE, TWO]);
});

test('with each that comes into service the cluster is watched, and again every ten seconds', async () => {
  says(ONE, TWO);
  await node.up(TWO);
  assert.deepEqual(node.watched, [ONE, TWO]);
  for (let second = 1; second <= 20; second += 1) gateway.tick(second);
  assert.equal(node.watched.filter((name) => name === ONE).length, 3);
});
