/** Three joined nodes: what they tell of each other, and requests that come to a node where their session is not. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Service } from '../../src/service/service.js';
import { BoshSession, wrapper } from './conformance/bosh-session.js';
import { gatewayBeside } from './support/gateway-beside.js';
import { type Member, ServerCluster } from './support/server-cluster.js';

let cluster: ServerCluster;
let service: Service;
let url: string;
before(async () => {
  cluster = await ServerCluster.start(3);
  ({ service, url } = await gatewayBeside(cluster.member(1).instance, { nodes: cluster.nodes }));
  while (service.gateway.cluster.inService < 3) await sleep(10);
});
after(async () => {
  await service.stop();
  await cluster.stop();
});

/** What a node answers to a gateway that is this other node: it asks as `megaphone`, with a message of the contract. */
async function ask(from: Member, to: Member, message: string, answer: string): Promise<string> {
  return from.server.print(
    `catch unregister(megaphone), true = register(megaphone, self()), Self = self(),
     {mod_megaphone, '${to.name}'} ! ${message},
     receive ${answer} after 10000 -> nothing end`,
  );
}

const bodyOf = (body: string): string => `{Self, <<"${body.replaceAll('"', '\\"')}">>}`;

/** A session of the node with this number. */
async function sessionAt(n: number): Promise<BoshSession> {
  for (;;) {
    const session = await BoshSession.login(url, {}, { presence: '' });
    if ((await cluster.member(n).server.print(`megaphone_sessions:find(<<"${session.sid}">>)`)) !== 'none')
      return session;
    await session.next({ type: 'terminate' }).answer;
  }
}

describe('a cluster of three', { timeout: 300_000 }, () => {
  it('tells a gateway who is in it, and what changes', async () => {
    const [one, two, three] = [cluster.member(1), cluster.member(2), cluster.member(3)];
    const told = (): Promise<string> =>
      ask(
        two,
        one,
        '{Self, watch}',
        '{cluster, #{<<"nodes">> := Nodes, <<"known">> := Known, <<"state">> := State, <<"sessions">> := _, <<"weight">> := Weight}} -> {length(Nodes), length(Known), State, Weight}',
      );
    assert.equal(await told(), '{3,3,in_service,100}');
    await one.server.evaluate('ejabberd_listener:stop_listeners().');
    while ((await told()) !== '{3,3,draining,100}') await sleep(50);
    await one.server.evaluate('ejabberd_listener:start_listeners().');
    while ((await told()) !== '{3,3,in_service,100}') await sleep(50);
    // By itself, as often as something changes.
    const changed = ask(
      two,
      one,
      '{Self, watch}, rpc:call(' +
        `'${three.name}'` +
        ", erlang, whereis, [mod_megaphone]), receive {cluster, _} -> first end, rpc:call('" +
        `${one.name}` +
        "', megaphone_cluster, set, [draining])",
      '{cluster, #{<<"state">> := draining}} -> told',
    );
    assert.equal(await changed, 'told');
    await one.server.evaluate('megaphone_cluster:set(in_service).');
  });

  it('leads a request to its session, wherever it comes in', async () => {
    const session = await sessionAt(3);
    session.rid += 1;
    const body = wrapper(
      { rid: session.rid, sid: session.sid },
      "<iq xmlns='jabber:client' type='get' id='p'><ping xmlns='urn:xmpp:ping'/></iq>",
    );
    // The third is not connected to this gateway: the answer comes by way of the first.
    const answer = await ask(cluster.member(2), cluster.member(1), bodyOf(body), '{Self, 200, B} -> B');
    assert.match(answer, /id='p'/);
    await session.next({ type: 'terminate' }).answer;
  });

  it('answers for the cluster where nobody has the session', async () => {
    const tag = await cluster.member(3).server.print('binary_to_list(megaphone_sid:tag(node()))');
    for (const sid of [`${tag.slice(1, -1)}.madeup`, 'AAAAAA.madeup']) {
      const answer = await ask(
        cluster.member(2),
        cluster.member(1),
        bodyOf(wrapper({ rid: 7, sid })),
        '{Self, 200, B} -> B',
      );
      assert.match(answer, /item-not-found/);
    }
  });

  it('begins a session elsewhere while a node is emptied', async () => {
    await cluster.member(1).server.evaluate('megaphone_cluster:set(draining).');
    await cluster.member(2).server.evaluate('megaphone_cluster:set(draining).');
    try {
      // The gateway of the test is connected to all: any of its requests comes through.
      const sessions = await Promise.all(
        Array.from({ length: 12 }, () => BoshSession.login(url, {}, { presence: '' })),
      );
      for (const { sid } of sessions) {
        assert.match(await cluster.member(3).server.print(`megaphone_sessions:find(<<"${sid}">>)`), /^\{ok/);
      }
      await Promise.all(sessions.map((session) => session.next({ type: 'terminate' }).answer));
      await cluster.member(3).server.evaluate('megaphone_cluster:set(draining).');
      await sleep(500);
      const refused = await BoshSession.create(url);
      assert.equal(refused.creation.status, 503, refused.creation.xml);
    } finally {
      for (const { server } of cluster.members) await server.evaluate('megaphone_cluster:set(in_service).');
    }
  });
});
