/** Sessions move from one ejabberd node to another under traffic, and their clients notice nothing. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Account } from '../../scripts/support/instance.js';
import { BoshSession, bodies, ping } from './conformance/bosh-session.js';
import { gatewayOf, move, other, place, processOf, talks, writes } from './support/moving.js';
import { makeAccounts } from './support/people.js';
import { ServerCluster } from './support/server-cluster.js';
import { WebSocketSession } from './support/websocket-session.js';

const MOVES = 20;

let cluster: ServerCluster;
let gateway: Awaited<ReturnType<typeof gatewayOf>>;
let accounts: Account[];
before(async () => {
  cluster = await ServerCluster.start(2);
  gateway = await gatewayOf(cluster);
  accounts = await makeAccounts(
    cluster.member(1).server,
    Array.from({ length: 60 }, (_, i) => `person${i}`),
  );
});
after(async () => {
  await gateway?.service.stop();
  await cluster?.stop();
});

const account = (): Account => accounts.pop() ?? assert.fail('no more accounts');
const bosh = (): Promise<BoshSession> =>
  BoshSession.login(gateway.url, {}, { ...account(), resource: 'web' });
const webSocket = (managed = false): Promise<WebSocketSession> =>
  WebSocketSession.login(gateway.webSocketUrl, { ...account(), resource: 'web', managed });

async function moves(who: { readonly jid: string }, times: number): Promise<void> {
  for (let i = 0; i < times; i += 1) {
    const to = other(await place(cluster, who));
    assert.equal(await move(cluster, who, to), 'moved');
    assert.equal(await place(cluster, who), to);
  }
}

describe('a BOSH session', () => {
  it('with a request held: that is answered by the new place, and rids go on', async () => {
    const bob = await bosh();
    const held = bob.next();
    await moves(bob, 1);
    const alice = await webSocket();
    await alice.say(bob.jid, 'where are you?');
    assert.deepEqual(bodies(await held.answer), ['where are you?']);
    for (let i = 0; i < 5; i += 1) await bob.roundTrip();
    await moves(bob, 1);
    // What is kept moved along.
    const last = await bob.at(bob.rid).answer;
    assert.match(last.xml, /'ping'/);
    await bob.terminate();
  });

  it('paused: it goes on as it asked to', async () => {
    const bob = await bosh();
    await bob.ask({ pause: 100 });
    await moves(bob, 2);
    const alice = await webSocket();
    await alice.say(bob.jid, 'while you were away');
    assert.deepEqual(bodies(await bob.ask()), ['while you were away']);
    await bob.terminate();
  });

  it('that came back within the second in which it was opened: who logs in next is the later one', async () => {
    const bob = await bosh();
    const home = await place(cluster, bob);
    await moves(bob, 2);
    const [user = '', resource = ''] = bob.jid.split(/@.*\//);
    // Ids of a second are counted.
    const isLater = await cluster.member(home).server.print(`
      {{_, _, Next}, _} = ejabberd_sm:make_sid(),
      {{_, _, Count}, _} = lists:max(ejabberd_sm:get_session_sids(<<"${user}">>, <<"localhost">>, <<"${resource}">>)),
      Next > Count`);
    assert.equal(isLater, 'true');
    await bob.terminate();
  });

  it('ends there: what comes late is told so by whichever node', async () => {
    const bob = await bosh();
    await moves(bob, 1);
    const last = await bob.terminate();
    assert.equal(last.attributes.type, 'terminate');
    const repeated = await bob.at(bob.rid, { type: 'terminate' }).answer;
    assert.equal(repeated.xml, last.xml);
    assert.equal((await bob.ask()).attributes.condition, 'item-not-found');
  });

  it(`moves back and forth ${MOVES} times under traffic: nothing is lost, doubled or out of order`, async () => {
    const [bob, alice] = [await bosh(), await webSocket()];
    const inwards = writes(alice, bob.jid, 'to bob');
    const outwards = talks(bob, alice.jid, 'to alice');
    await moves(bob, MOVES);
    const said = await inwards.stop();
    await outwards.stop();
    while (outwards.heard.length < said.length)
      outwards.heard.push(...bodies(await bob.ask({}, ping('more'))));
    assert.deepEqual(outwards.heard, said);
    assert.deepEqual(await alice.messages(outwards.said.length), outwards.said);
    assert.ok(said.length > MOVES && outwards.said.length > MOVES);
    await bob.terminate();
    await alice.leave();
  });
});

describe('a WebSocket session', () => {
  for (const managed of [false, true]) {
    it(`moves back and forth ${MOVES} times under traffic${managed ? ', with stream management' : ''}`, async () => {
      const [bob, alice] = [await webSocket(managed), await webSocket()];
      const inwards = writes(alice, bob.jid, 'to bob');
      const outwards = writes(bob, alice.jid, 'to alice');
      await moves(bob, MOVES);
      const [said, told] = [await inwards.stop(), await outwards.stop()];
      assert.deepEqual(await bob.messages(said.length), said);
      assert.deepEqual(await alice.messages(told.length), told);
      assert.ok(said.length > MOVES && told.length > MOVES);
      await bob.leave();
      await alice.leave();
    });
  }

  it('moves while much is on its way to it: what leaves from the new place overtakes nothing', async () => {
    const [bob, alice] = [await webSocket(), await webSocket()];
    bob.socket.pause();
    const texts = Array.from({ length: 300 }, (_, i) => `${i} ${'x'.repeat(3000)}`);
    await alice.say(bob.jid, ...texts.slice(0, 150));
    const moved = move(cluster, bob, other(await place(cluster, bob)));
    await alice.say(bob.jid, ...texts.slice(150));
    bob.socket.resume();
    assert.equal(await moved, 'moved');
    assert.deepEqual(await bob.messages(300), texts);
    await bob.leave();
  });

  it('that came back is resumed in the second in which it was opened: the new process is the later one', async () => {
    // Each move makes its id a little later, and may pass what ejabberd gives next.
    const isLater = await cluster.member(1).server.print(`
      {{Mega, Second, Micro}, _} = ejabberd_sm:make_sid(),
      Opened = {Mega, Second, Micro + 10},
      #{} = megaphone_handover:resumes(#{}, #{sid => {Opened, self()}}),
      {Next, _} = ejabberd_sm:make_sid(),
      Next > Opened`);
    assert.equal(isLater, 'true');
  });

  it('whose client has gone moves as well, and is resumed there', async () => {
    const as = account();
    const bob = await WebSocketSession.login(gateway.webSocketUrl, { ...as, resource: 'web', managed: true });
    const alice = await webSocket();
    await moves(bob, 1);
    await alice.say(bob.jid, 'before');
    await bob.messages(1);
    bob.cut();
    await bob.closed;
    await alice.say(bob.jid, 'one', 'two');
    await moves(bob, 3);
    await alice.say(bob.jid, 'three');
    const again = await WebSocketSession.resume(gateway.webSocketUrl, bob, as);
    assert.deepEqual(await again.messages(3), ['one', 'two', 'three']);
    await moves(again, 2);
    await alice.say(bob.jid, 'four');
    assert.deepEqual(await again.messages(4), ['one', 'two', 'three', 'four']);
    await again.leave();
  });
});

describe('a session stays', () => {
  it('where its target is not there, and goes on', async () => {
    const bob = await webSocket();
    const server = cluster.member(await place(cluster, bob)).server;
    const told = await server.print(
      `R = make_ref(), ${processOf(bob)} ! {megaphone_move, nobody@localhost, {self(), R}}, receive {R, A} -> A end`,
    );
    assert.equal(told, '{stays,no_node}');
    await bob.roundTrip();
    await bob.leave();
  });

  it('while its client has not logged in', async () => {
    const stranger = await WebSocketSession.open(gateway.webSocketUrl);
    const told: string[] = [];
    for (const { server } of cluster.members) {
      told.push(
        await server.print(`
          Opening = [P || P <- megaphone_sessions:pids(), I <- megaphone_control:info(P), element(5, I) =:= "opening"],
          [begin R = make_ref(), P ! {megaphone_move, hd(nodes()), {self(), R}}, receive {R, A} -> A end end || P <- Opening]`),
      );
    }
    assert.deepEqual(told.sort(), ['[]', '[{stays,login}]']);
    stranger.cut();
  });
});
