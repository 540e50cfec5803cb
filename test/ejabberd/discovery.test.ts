/** Two joined nodes, and a gateway that is told of one: it finds the other, and goes on when that dies, comes back, and leaves. */

import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { tagOf } from '../../src/gateway/sid.js';
import type { Service } from '../../src/service/service.js';
import { until } from '../support/until.js';
import { BoshSession } from './conformance/bosh-session.js';
import { gatewayBeside } from './support/gateway-beside.js';
import { ServerCluster } from './support/server-cluster.js';

let cluster: ServerCluster;
let service: Service;
let url: string;
before(async () => {
  cluster = await ServerCluster.start(2);
  const { instance, name } = cluster.member(1);
  ({ service, url } = await gatewayBeside(instance, { nodes: [{ name }] }));
});
after(async () => {
  await service.stop();
  await cluster.stop();
});

const inService = async (count: number): Promise<void> => {
  await until(() => service.gateway.cluster.inService === count);
};
const sessionOf = async (n: number): Promise<BoshSession> => {
  const tag = tagOf(cluster.member(n).name);
  for (;;) {
    const session = await BoshSession.login(url, {}, { presence: '' });
    if (session.sid.startsWith(tag)) return session;
    await session.next({ type: 'terminate' }).answer;
  }
};

describe('a gateway that is told of one node', { timeout: 300_000 }, () => {
  it('finds the other, and gives it its part of the sessions', async () => {
    await inService(2);
    // One whose listeners have just begun says so within a second.
    await until(() => service.gateway.cluster.nodes.every(({ takesSessions }) => takesSessions));
    const sessions: BoshSession[] = [];
    for (let count = 0; count < 10; count += 1)
      sessions.push(await BoshSession.login(url, {}, { presence: '' }));
    for (const { name } of cluster.members) {
      const share = sessions.filter(({ sid }) => sid.startsWith(tagOf(name))).length;
      assert.ok(share >= 3, `${name} got ${share} of 10`);
    }
    for (const session of sessions) await session.next({ type: 'terminate' }).answer;
  });

  it('tells the clients of one that dies to log in again, which they can at once', async () => {
    const lost = await sessionOf(2);
    const kept = await sessionOf(1);
    const [held, other] = [lost.next(), kept.next()];
    await until(() => service.gateway.openExchanges >= 2);
    process.kill(await cluster.member(2).instance.ejabberdPid(), 'SIGKILL');
    const answer = await held.answer;
    assert.match(answer.xml, /condition='item-not-found'/);
    // One that had no request open hears the same.
    assert.match((await lost.next().answer).xml, /item-not-found/);
    const again = await BoshSession.login(url, {}, { presence: '' });
    assert.ok(again.sid.startsWith(tagOf(cluster.member(1).name)));
    await again.next({ type: 'terminate' }).answer;
    await kept.next({ type: 'terminate' }).answer;
    await other.answer;
  });

  it('takes it back into service when it is there again, and forgets it when it leaves', async () => {
    await cluster.member(2).instance.script('ejabberd.sh', 'start');
    await inService(2);
    const session = await sessionOf(2);
    await session.next({ type: 'terminate' }).answer;
    const { name } = cluster.member(2);
    await cluster.leave(2, 1);
    await until(() => service.gateway.cluster.find(name) === undefined);
    await inService(1);
    assert.equal(service.node.peers().length, 1);
  });
});
