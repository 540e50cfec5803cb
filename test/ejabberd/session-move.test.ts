/** Sessions move from one ejabberd node to another, and their clients notice nothing. */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import type { Account } from '../../scripts/support/instance.js';
import { until } from '../support/until.js';
import { BoshSession, bodies, message, ping } from './conformance/bosh-session.js';
import { gatewayBeside } from './support/gateway-beside.js';
import { befriend, makeAccounts } from './support/people.js';
import { ServerCluster } from './support/server-cluster.js';
import { WebSocketSession } from './support/websocket-session.js';

let cluster: ServerCluster;
let gateway: Awaited<ReturnType<typeof gatewayBeside>>;
let accounts: Account[];
before(async () => {
  cluster = await ServerCluster.start(2);
  const { instance, server } = cluster.member(1);
  gateway = await gatewayBeside(instance, { nodes: cluster.nodes });
  while (gateway.service.gateway.cluster.inService < 2)
    await until(() => gateway.service.gateway.cluster.inService === 2);
  accounts = await makeAccounts(
    server,
    Array.from({ length: 60 }, (_, i) => `person${i}`),
  );
});
after(async () => {
  await gateway?.service.stop();
  await cluster?.stop();
});

/** The number of the node that has this user's session. */
async function place({ jid }: { readonly jid: string }): Promise<number> {
  const [user = '', resource = ''] = [jid.split('@')[0], jid.split('/')[1]];
  const node = await cluster
    .member(1)
    .server.print(`node(ejabberd_sm:get_session_pid(<<"${user}">>, <<"localhost">>, <<"${resource}">>))`);
  return 1 + cluster.members.findIndex(({ name }) => name === node.replaceAll("'", ''));
}

/** Resolves with what became of it: `moved`, or `{stays,Reason}`. */
async function move({ jid }: { readonly jid: string }, to: number): Promise<string> {
  const [user = '', resource = ''] = [jid.split('@')[0], jid.split('/')[1]];
  return cluster.member(1).server.print(`
    Pid = ejabberd_sm:get_session_pid(<<"${user}">>, <<"localhost">>, <<"${resource}">>),
    Ref = erlang:monitor(process, Pid),
    Pid ! {megaphone_move, '${cluster.member(to).name}', {self(), Ref}},
    receive {Ref, Answer} -> Answer; {'DOWN', Ref, process, Pid, Reason} -> {ended, Reason} after 10000 -> timeout end`);
}

const other = (node: number): number => 3 - node;

function account(): Account {
  return accounts.pop() ?? assert.fail('no more accounts');
}

describe('a BOSH session', () => {
  it('with a request held: that is answered by the new place, and rids go on', async () => {
    const as = account();
    const bob = await BoshSession.login(gateway.url, {}, { ...as, resource: 'web' });
    const from = await place(bob);
    const held = bob.next();
    await cluster.member(1).server.print(`timer:sleep(100)`);
    assert.equal(await move(bob, other(from)), 'moved');
    assert.equal(await place(bob), other(from));
    const alice = await BoshSession.login(gateway.url);
    await alice.ask({}, message(bob.jid, 'where are you?') + ping());
    assert.deepEqual(bodies(await held.answer), ['where are you?']);
    for (let i = 0; i < 5; i += 1) await bob.roundTrip();
    await bob.terminate();
  });
});

describe('a WebSocket session', () => {
  it('goes on over the same socket', async () => {
    const as = account();
    const bob = await WebSocketSession.login(gateway.webSocketUrl, { ...as, resource: 'web' });
    const from = await place(bob);
    assert.equal(await move(bob, other(from)), 'moved');
    assert.equal(await place(bob), other(from));
    await bob.roundTrip();
    await bob.leave();
  });
});
void befriend;
