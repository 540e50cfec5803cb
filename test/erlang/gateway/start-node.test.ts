/** A gateway whose node name is taken when it starts. */

import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import { Cookie } from '../../../src/node/cookie.js';
import { startNode } from '../../../src/service/start-node.js';
import { until } from '../../support/until.js';
import { Cluster, COOKIE } from './support.js';

const NAME = 'megaphone@localhost';

let cluster: Cluster;
before(async () => {
  cluster = await Cluster.start();
});
after(() => cluster.stop());

const options = () => ({ name: NAME, cookie: new Cookie(COOKIE), epmd: { port: cluster.epmd.port } });

function logger() {
  const lines: string[] = [];
  return { lines, log: pino({}, { write: (line: string) => lines.push(line) }) };
}

test('it waits, and says so once, until the other is gone', async () => {
  const predecessor = await cluster.erl('megaphone');
  const { lines, log } = logger();
  const starting = startNode(options(), log, 60_000);
  await until(() => lines.length > 0);
  await predecessor.kill();
  const node = await starting;
  assert.equal(node.name, NAME);
  assert.equal(lines.length, 1);
  await node.stop();
});

test('it gives up when the other stays', async () => {
  const other = await cluster.erl('megaphone');
  await assert.rejects(startNode(options(), logger().log, 0), { code: 'EPMD_NAME_TAKEN', node: NAME });
  await other.kill();
});

test('it does not wait for what waiting does not mend', async () => {
  const { lines, log } = logger();
  await assert.rejects(startNode({ ...options(), name: 'no name' }, log, 60_000), { code: 'NODE_BAD_NAME' });
  assert.deepEqual(lines, []);
});
