/** Three joined nodes: what they tell of each other, and requests that come to a node where their session is not. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Service } from '../../src/service/service.js';
import { until } from '../support/until.js';
import { BoshSession, ping, send, wrapper } from './conformance/bosh-session.js';
import { gatewayBeside } from './support/gateway-beside.js';
import { type Member, ServerCluster } from './support/server-cluster.js';

let cluster: ServerCluster;
let service: Service;
let url: string;
before(async () => {
  cluster = await ServerCluster.start(3);
  ({ service, url } = await gatewayBeside(cluster.member(1).instance, { nodes: cluster.nodes }));
  await until(() => service.gateway.cluster.inService >= 3);
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
    await until(async () => (await told()) === '{3,3,draining,100}');
    await one.server.evaluate('ejabberd_listener:start_listeners().');
    await until(async () => (await told()) === '{3,3,in_service,100}');
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

  it('knows which gateways each node has; other hidden nodes, as of ejabberdctl, are none', async () => {
    const gateways = `maps:get(gateways, ets:lookup_element(megaphone_cluster, {peer, '${cluster.member(2).name}'}, 2))`;
    assert.match(
      await cluster.member(2).server.print('lists:sort(nodes(hidden))'),
      /beside_.*test2_|test2_.*beside_/,
    );
    await until(
      async () => (await cluster.member(1).server.print(gateways)) === `[beside_${process.pid}@localhost]`,
    );
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

  it('leads it to where the session moved, from the old place and from any other', async () => {
    const session = await sessionAt(3);
    const [one, two, three] = [cluster.member(1), cluster.member(2), cluster.member(3)];
    const find = (module: string): string => `${module}:find(<<"${session.sid}">>)`;
    const request = async (from: Member, to: Member): Promise<string> => {
      session.rid += 1;
      return ask(
        from,
        to,
        bodyOf(wrapper({ rid: session.rid, sid: session.sid }, ping(`at${session.rid}`))),
        '{Self, 200, B} -> B; {Self, 503, _, _} -> again',
      );
    };
    assert.match(await three.instance.ctl('megaphone_drain', two.name), /Sessions move/);
    await until(async () => (await two.server.print(find('megaphone_sessions'))).startsWith('{ok'));
    // What is left there passes it on; and where nothing is left any more, the table leads on.
    assert.match(await request(two, three), new RegExp(`at${session.rid}`));
    await until(async () => (await three.server.print(find('megaphone_forwarders'))).startsWith('{ok'));
    await three.server.evaluate(`{ok, Pid} = ${find('megaphone_forwarders')}, exit(Pid, kill).`);
    for (const [from, to] of [
      [two, three],
      [two, one],
      [one, two],
    ] as const) {
      assert.match(await request(from, to), new RegExp(`at${session.rid}`));
    }
    // A gateway that is connected to one of them only.
    const apart = await gatewayBeside(one.instance, {
      node: `apart_${process.pid}@localhost`,
      nodes: [{ name: one.name }],
      discover: false,
    });
    session.rid += 1;
    const answer = await send(apart.url, wrapper({ rid: session.rid, sid: session.sid }, ping('apart')))
      .answer;
    assert.match(answer.xml, /id='apart'/);
    await apart.service.stop();
    // Its peers are new, and are told again.
    await two.server.evaluate('exit(whereis(megaphone_moved), kill).');
    assert.match(await request(two, one), new RegExp(`at${session.rid}`));
    await one.server.evaluate('exit(whereis(megaphone_moved), kill).');
    for (;;) {
      const sent = await request(two, one);
      if (new RegExp(`at${session.rid}`).test(sent)) break;
      assert.equal(sent, 'again');
      session.rid -= 1;
    }
    session.rid += 1;
    const end = bodyOf(wrapper({ rid: session.rid, sid: session.sid, type: 'terminate' }));
    assert.match(await ask(two, one, end, '{Self, 200, B} -> B'), /terminate/);
    // Where it ended its last answer is kept: a client that lost it gets it from anywhere.
    assert.match(await ask(two, three, end, '{Self, 200, B} -> B'), /terminate/);
    assert.doesNotMatch(await ask(two, one, end, '{Self, 200, B} -> B'), /item-not-found/);
    await three.instance.ctl('megaphone_drain_abort');
    for (const { server } of [one, two])
      await until(async () => (await server.print('length(megaphone_cluster:others())')) === '2');
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
