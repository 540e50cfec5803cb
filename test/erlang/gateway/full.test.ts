/** A node that says `{full, Seconds}`: it gets no new sessions for that time, and what it has goes on. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { Erl } from '../../../scripts/support/erl.js';
import { tagOf } from '../../../src/gateway/sid.js';
import type { Service } from '../../../src/service/service.js';
import { until } from '../../support/until.js';
import { Cluster, inService, loadModule, next, play, post } from './support.js';

let cluster: Cluster;
let nodes: Erl[];
let service: Service;
beforeEach(async () => {
  cluster = await Cluster.start();
  nodes = [await cluster.erl('one'), await cluster.erl('two')];
  for (const erl of nodes) {
    await loadModule(erl);
    await play(erl);
  }
  service = await cluster.gateway({ nodes: nodes.map(({ name }) => name) });
  await inService(service, 2);
});
afterEach(() => cluster.stop());

async function full(erl: Erl, seconds: number | string): Promise<void> {
  await erl.evaluate(`{megaphone, '${service.node.name}'} ! {full, ${seconds}}, ok`);
}

const fullNodes = (): number => service.gateway.cluster.nodes.filter(({ room }) => room.isClosed).length;

/** One request, which this node gets. */
async function answeredBy(erl: Erl, body: string): Promise<void> {
  const answered = post(service, body);
  await next(erl, 'C ! atom_to_binary(node())');
  assert.equal(await (await answered).text(), erl.name);
}

const CREATION = "<body to='localhost'/>";

test('new sessions go to the others; its own sessions go on', async () => {
  const [one, two] = nodes as [Erl, Erl];
  await full(one, 60);
  await until(() => fullNodes() === 1);
  for (let session = 0; session < 4; session += 1) await answeredBy(two, CREATION);
  await answeredBy(one, `<body sid='${tagOf(one.name)}.r' rid='7'/>`);
});

test('where all are full new sessions hear 503 with Retry-After, until the time is over', async () => {
  for (const erl of nodes) await full(erl, 3);
  await until(() => fullNodes() === 2);
  const refused = await post(service, CREATION);
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get('retry-after'), '2');
  assert.equal(service.gateway.counters.refused.full, 1);
  let accepted: Promise<Response> | undefined;
  await until(async () => {
    const before = service.gateway.counters.refused.full;
    accepted = post(service, CREATION);
    await until(() => service.gateway.openExchanges > 0 || service.gateway.counters.refused.full > before);
    return service.gateway.openExchanges > 0;
  });
  const started = service.gateway.cluster.nodes.find(({ room }) => room.started > 0);
  await next(nodes.find(({ name }) => name === started?.name) as Erl, 'C ! <<"welcome">>');
  assert.equal(await (await accepted)?.text(), 'welcome');
});

test('a node that comes back is not full', async () => {
  const [one, two] = nodes as [Erl, Erl];
  for (const erl of nodes) await full(erl, 60);
  await until(() => fullNodes() === 2);
  await one.kill();
  await inService(service, 1);
  assert.equal((await post(service, CREATION)).status, 503);
  await one.restart();
  await loadModule(one);
  await play(one);
  await inService(service, 2);
  await answeredBy(one, CREATION);
  await two.kill();
});

test('another form of it answers nothing', async () => {
  const [one] = nodes as [Erl];
  for (const seconds of ['-1', '0', 'x', '1.5', '1 bsl 70']) await full(one, seconds);
  await until(() => service.gateway.counters.dropped.unknown_shape === 5);
  assert.equal(fullNodes(), 0);
});
