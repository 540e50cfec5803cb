/**
 * What goes wrong while sessions move: each process is killed at whichever step, the target refuses, the nodes lose each other, the
 * target is killed. Never do two processes serve a session, and where none is left its client is told.
 */
import assert from 'node:assert/strict';
import { after, before, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Account } from '../../scripts/support/instance.js';
import { type Answer, BoshSession, ping } from './conformance/bosh-session.js';
import { gatewayOf, move, place, processOf } from './support/moving.js';
import { makeAccounts } from './support/people.js';
import { ServerCluster } from './support/server-cluster.js';

const PEOPLE = 20;
const DELAYS = [0, 2, 5, 10, 15, 25];

let cluster: ServerCluster;
let gateway: Awaited<ReturnType<typeof gatewayOf>>;
let accounts: Account[];
before(async () => {
  cluster = await ServerCluster.start(2);
  gateway = await gatewayOf(cluster);
  accounts = await makeAccounts(
    cluster.member(1).server,
    Array.from({ length: 500 }, (_, i) => `mover${i}`),
  );
});
after(async () => {
  await gateway?.service.stop();
  await cluster?.stop();
});

/** All on the first node. */
async function people(): Promise<BoshSession[]> {
  const all = await Promise.all(
    accounts
      .splice(0, PEOPLE)
      .map((as) => BoshSession.login(gateway.url, {}, { ...as, resource: 'web', presence: '' })),
  );
  for (const one of all) {
    if ((await place(cluster, one)) === 2) assert.equal(await move(cluster, one, 1), 'moved');
  }
  return all;
}

/** They begin to move a millisecond apart; each step of some happens at whichever moment. */
const begin = (all: readonly BoshSession[]): Promise<unknown> =>
  cluster.member(1).server.evaluate(`
    spawn(fun() ->
      lists:foreach(fun(Pid) ->
        timer:sleep(1), Pid ! {megaphone_move, '${cluster.member(2).name}', {self(), make_ref()}}
      end, [${all.map(processOf)}])
    end).`);

/** How many processes serve it, on both nodes. */
async function serving(sids: readonly string[], members = cluster.members): Promise<number[]> {
  const counts = sids.map(() => 0);
  for (const { server } of members) {
    const found = await server.print(
      `[case ets:lookup(megaphone_sessions, Sid) of [Row] -> case is_process_alive(element(2, Row)) of true -> 1; false -> 0 end; [] -> 0 end
        || Sid <- [${sids.map((sid) => `<<"${sid}">>`)}]]`,
    );
    for (const [i, n] of found.replace(/[[\]]/g, '').split(',').entries())
      counts[i] = (counts[i] ?? 0) + Number(n);
  }
  return counts;
}

/** Each goes on, or hears the end by the request that it would send next; how many go on. */
async function goOn(all: readonly BoshSession[]): Promise<number> {
  const ask = async (one: BoshSession): Promise<boolean> => {
    const rid = one.rid + 1;
    let answer: Answer = await one.next({}, ping()).answer;
    // Its client repeats what nobody took.
    while (answer.status !== 200) {
      await sleep(200);
      answer = await one.at(rid, {}, ping()).answer;
    }
    return answer.attributes.type !== 'terminate';
  };
  return (await Promise.all(all.map(ask))).filter((isOn) => isOn).length;
}

const NEW = `[P || P <- processes(), {megaphone_session, run, [_]} <- [proc_lib:initial_call(P)], not lists:member(P, Old)]`;

it('a target that is being emptied refuses: the sessions go on where they are', async () => {
  const all = await people();
  await cluster.member(2).server.evaluate('megaphone_cluster:set(draining).');
  for (const one of all.slice(0, 3)) {
    assert.equal(await move(cluster, one, 2), '{stays,draining}');
    await one.roundTrip();
    assert.equal(await place(cluster, one), 1);
  }
  await cluster.member(2).server.evaluate('megaphone_cluster:set(in_service).');
  for (const one of all) await one.terminate();
});

it('new processes are killed at any step', async () => {
  for (const delay of DELAYS) {
    const all = await people();
    const kill = cluster.member(2).server.evaluate(`
      Old = processes(), timer:sleep(${delay}), [exit(P, kill) || P <- ${NEW}], ok.`);
    await begin(all);
    await kill;
    await sleep(500);
    const counts = await serving(all.map(({ sid }) => sid));
    assert.ok(Math.max(...counts) <= 1, `${counts}`);
    await cluster.member(2).server.evaluate('megaphone_index ! sweep, sys:get_state(megaphone_index).');
    assert.equal(
      await goOn(all),
      counts.reduce((a, b) => a + b, 0),
      `${counts}`,
    );
    for (const one of all) await one.terminate();
  }
});

it('old processes are killed at any step', async () => {
  for (const delay of DELAYS) {
    const all = await people();
    await begin(all);
    await cluster.member(1).server.evaluate(`
      timer:sleep(${delay}), [exit(P, kill) || P <- [${all.map(processOf)}], is_pid(P), node(P) =:= node()], ok.`);
    await sleep(500);
    const counts = await serving(all.map(({ sid }) => sid));
    assert.ok(Math.max(...counts) <= 1, `${counts}`);
    await cluster.member(1).server.evaluate('megaphone_index ! sweep, sys:get_state(megaphone_index).');
    assert.equal(
      await goOn(all),
      counts.reduce((a, b) => a + b, 0),
      `${counts}`,
    );
    for (const one of all) await one.terminate();
  }
});

it('the nodes lose each other in the middle: no session is served by both, and every client goes on or is told', async () => {
  const all = await people();
  await begin(all);
  await cluster
    .member(1)
    .server.evaluate(`timer:sleep(8), erlang:disconnect_node('${cluster.member(2).name}').`);
  await sleep(500);
  const counts = await serving(all.map(({ sid }) => sid));
  assert.ok(Math.max(...counts) <= 1, `${counts}`);
  for (const { server } of cluster.members)
    await server.evaluate('megaphone_index ! sweep, sys:get_state(megaphone_index).');
  const on = await goOn(all);
  assert.ok(on <= counts.reduce((a, b) => a + b, 0), `${on} of ${counts}`);
});
