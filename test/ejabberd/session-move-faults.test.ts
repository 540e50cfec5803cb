/**
 * What goes wrong while sessions move: each process is killed at whichever step, the target refuses, the nodes lose each other, the
 * target is killed. Never do two processes serve a session, and where none is left its client is told.
 */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Account } from '../../scripts/support/instance.js';
import { tagOf } from '../../src/gateway/sid.js';
import { eventually, until } from '../support/until.js';
import { type Answer, BoshSession, message, ping } from './conformance/bosh-session.js';
import { gatewayBeside } from './support/gateway-beside.js';
import { gatewayOf, move, other, place, processOf } from './support/moving.js';
import { makeAccounts } from './support/people.js';
import { ServerCluster } from './support/server-cluster.js';

const PEOPLE = 20;
const DELAYS = [0, 2, 5, 10, 15, 25];

let cluster: ServerCluster;
let gateway: Awaited<ReturnType<typeof gatewayOf>>;
let accounts: Account[];
async function start(): Promise<void> {
  cluster = await ServerCluster.start(2);
  gateway = await gatewayOf(cluster);
  accounts = await makeAccounts(
    cluster.member(1).server,
    Array.from({ length: 500 }, (_, i) => `mover${i}`),
  );
}
async function stop(): Promise<void> {
  await gateway?.service.stop();
  await cluster?.stop();
}
before(start);
after(stop);

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

/** What the threads of a process are at: `T` is stopped. */
const tasksOf = (pid: number): string[] =>
  readdirSync(`/proc/${pid}/task`).map((task) => {
    const stat = readFileSync(`/proc/${pid}/task/${task}/stat`, 'latin1');
    return stat.charAt(stat.lastIndexOf(')') + 2);
  });

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
    one.rid += 1;
    // Its client repeats what nobody took.
    const { attributes } = await eventually(
      () => one.at(one.rid, {}, ping()).answer,
      ({ status }) => status === 200,
    );
    return attributes.type !== 'terminate';
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

it('a user has as many sessions as he may: none of them ends where another moves', async () => {
  const [as] = accounts.splice(0, 1);
  const all: BoshSession[] = [];
  // `max_user_sessions` of scripts/ejabberd.yml.
  for (let n = 0; n < 10; n += 1)
    all.push(await BoshSession.login(gateway.url, {}, { ...as, resource: `r${n}`, presence: '' }));
  for (const one of all) assert.equal(await move(cluster, one, other(await place(cluster, one))), 'moved');
  assert.equal(await goOn(all), all.length);
  for (const one of all) await one.terminate();
});

it('a new process is killed before all know of it: none of its rows stays, not on other nodes either', {
  timeout: 60_000,
}, async () => {
  const all = await people();
  for (const one of all.slice(0, 3)) {
    const two = cluster.member(2);
    // It did move: who asked is told so once the old one ends.
    const isSettling = await two.server.print(`
      Old = ${processOf(one)}, Monitor = erlang:monitor(process, Old), Ref = make_ref(),
      Old ! {megaphone_move, '${two.name}', {self(), Ref}},
      New = (fun Await() -> case ${processOf(one)} of Old -> timer:sleep(1), Await(); Pid -> Pid end end)(),
      IsSettling = receive {Ref, _} -> false after 0 -> true end,
      exit(New, kill),
      receive {'DOWN', Monitor, process, Old, normal} -> receive {Ref, moved} -> IsSettling after 0 -> untold end end`);
    assert.equal(isSettling, 'true');
    const [user, resource] = one.jid.split(/@.*\//);
    const sids = `ejabberd_sm:get_session_sids(<<"${user}">>, <<"localhost">>, <<"${resource}">>)`;
    // Mnesia tells the others in its own time.
    await until(async () => (await two.server.print(sids)) === '[]');
  }
  for (const one of all.slice(3)) await one.terminate();
});

it('a fault of the new process before it serves: what the session held goes back once', async () => {
  const [bob] = await people();
  assert.ok(bob);
  const two = cluster.member(2);
  const [user = ''] = bob.jid.split('@');
  await cluster.member(1).server.evaluate(`
    [ejabberd_router:route({message, <<>>, chat, <<>>, jid:make(<<"a">>, <<"localhost">>, <<"a">>), jid:decode(<<"${bob.jid}">>), [],
      [{text, <<>>, Text}], undefined, [], #{}}) || Text <- [<<"one">>, <<"two">>, <<"three">>]], ok.`);
  // It is to count one that it does not know.
  await two.server.evaluate(`
    {Counts, Index} = Counters = persistent_term:get(megaphone_stats),
    persistent_term:put(megaphone_stats, {Counts, maps:remove(sessions_arrived, Index)}),
    Pid = ${processOf(bob)}, Ref = erlang:monitor(process, Pid),
    Pid ! {megaphone_move, '${two.name}', {self(), make_ref()}},
    receive {'DOWN', Ref, process, Pid, _} -> ok after 20000 -> ok end,
    persistent_term:put(megaphone_stats, Counters), ok.`);
  const stored = (): Promise<string> =>
    two.server.print(
      `[T || M <- mod_offline:get_offline_els(<<"${user}">>, <<"localhost">>), {text, _, T} <- element(8, M)]`,
    );
  await until(async () => (await stored()) !== '[]');
  await sleep(500);
  assert.equal(await stored(), '[<<"one">>,<<"two">>,<<"three">>]');
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

/** The second node stands still; until it is let go. */
async function freeze(): Promise<() => void> {
  const { instance, name } = cluster.member(2);
  const pid = Number(
    await readFile(join(instance.var, name.split('@', 1)[0] as string, 'ejabberd.pid'), 'utf8'),
  );
  process.kill(pid, 'SIGSTOP');
  await until(() => tasksOf(pid).every((state) => state === 'T'));
  return () => process.kill(pid, 'SIGCONT');
}

/** In the mailbox of a session, from the process that is to take it over. */
const readyFor = (session: BoshSession): string =>
  `[New || {megaphone_arrival, _, New, ready} <- element(2, process_info(${processOf(session)}, messages))]`;

/** The session waits to be taken over, and is suspended; that it may go is in its mailbox. `asker ! over` lets it go on. */
async function suspendAsReady(session: BoshSession): Promise<void> {
  const one = cluster.member(1).server;
  const letGo = await freeze();
  try {
    await one.evaluate(`
      register(asker, spawn(fun() ->
        Pid = ${processOf(session)}, Pid ! {megaphone_move, '${cluster.member(2).name}', {self(), make_ref()}},
        Waits = fun F() ->
          {_, Stack} = process_info(Pid, current_stacktrace),
          lists:keymember(await_spawned, 2, Stack) orelse begin timer:sleep(1), F() end end,
        true = Waits(), true = erlang:suspend_process(Pid), receive over -> ok end
      end)), ok.`);
    await until(
      async () => (await one.print(`process_info(${processOf(session)}, status)`)) === '{status,suspended}',
    );
  } finally {
    letGo();
  }
  await until(async () => (await one.print(`length(${readyFor(session)})`)) === '1');
}

it('a new process is gone when the old one hears that it is ready: the session stays', async () => {
  const [bob] = await people();
  assert.ok(bob);
  const one = cluster.member(1);
  await suspendAsReady(bob);
  await one.server.evaluate(`
    [New] = ${readyFor(bob)}, true = exit(New, kill),
    Dead = fun F() -> erpc:call(node(New), erlang, is_process_alive, [New]) andalso F() end, false = Dead(),
    asker ! over.`);
  // Who suspended it is gone: it goes on.
  await until(async () => (await one.server.print('whereis(asker)')) === 'undefined');
  await bob.roundTrip();
  assert.equal(await place(cluster, bob), 1);
  assert.equal(await move(cluster, bob, 2), 'moved');
  await bob.terminate();
});

it('the connection of the nodes has no room just when the session may go: it stays, and waits for nothing', async (t) => {
  const one = cluster.member(1);
  // Requests of one that began on the other node would go by that.
  const alone = await gatewayBeside(one.instance, {
    node: `alone_${process.pid}@localhost`,
    nodes: [{ name: one.name }],
    discover: false,
  });
  t.after(() => alone.service.stop());
  const [as] = accounts.splice(0, 1);
  const bob = await BoshSession.login(alone.url, {}, { ...as, resource: 'web', presence: '' });
  await suspendAsReady(bob);
  const letGo = await freeze();
  try {
    await one.server.evaluate(`
      %% Until it stays full: the kernels of both take some.
      Fill = fun F(0) -> ok; F(Times) ->
        case erlang:send({nobody, '${cluster.member(2).name}'}, binary:copy(<<0>>, 65536), [nosuspend]) of
          ok -> F(50);
          nosuspend -> timer:sleep(10), F(Times - 1)
        end end,
      Fill(50), asker ! over.`);
    await until(async () => (await one.server.print('whereis(asker)')) === 'undefined');
    await bob.roundTrip();
    // It did not wait for the connection's end.
    assert.equal(await one.server.print(`lists:member('${cluster.member(2).name}', nodes())`), 'true');
  } finally {
    letGo();
  }
  assert.equal(await place(cluster, bob), 1);
  assert.equal(await move(cluster, bob, 2), 'moved');
  await bob.terminate();
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
  // Nobody hears the end of a session that lives.
  const living = counts.reduce((a, b) => a + b, 0);
  assert.equal(await goOn(all), living, `${counts}`);
});

it('the nodes lose each other before the old processes hear that the new ones serve: clients are led to those', async () => {
  // Nodes that lost each other do not share ejabberd's tables any more.
  await stop();
  await start();
  const all = await people();
  const [old, next] = [cluster.member(1), cluster.member(2)];
  // In this call each new process waits.
  await next.server.evaluate('sys:suspend(megaphone_moved).');
  const hold = (one: BoshSession): Promise<Answer> => {
    one.rid += 1;
    const { rid } = one;
    // One that came to the old process late is to be repeated.
    return eventually(
      () => one.at(rid).answer,
      ({ status }) => status === 200,
    );
  };
  const held = all.slice(PEOPLE / 2).map(hold);
  // What becomes of them stays in its mailbox.
  await old.server.evaluate(`
    register(asker, spawn(fun() ->
      [Pid ! {megaphone_move, '${next.name}', {self(), make_ref()}} || Pid <- [${all.map(processOf)}]],
      receive over -> ok end
    end)).`);
  const waiting =
    '[P || {_, P} <- megaphone_sessions:all(), lists:member({megaphone_moved, enter, 2}, [{M, F, A} || {M, F, A, _} <- element(2, process_info(P, current_stacktrace))])]';
  // Those who come home are told nobody of.
  const count = all.filter(({ sid }) => sid.startsWith(tagOf(old.name))).length;
  await until(async () => (await next.server.print(`length(${waiting})`)) === `${count}`);
  // In the mailbox of a process that only waits.
  held.push(...all.slice(0, PEOPLE / 2).map(hold));
  const late = `length([P || {_, P} <- megaphone_sessions:all(), {messages, Ms} <- [process_info(P, messages)], lists:keymember(bosh_request, 1, Ms)])`;
  const tardy = all.slice(0, PEOPLE / 2).filter(({ sid }) => sid.startsWith(tagOf(old.name))).length;
  await until(async () => Number(await old.server.print(late)) >= tardy);
  // What comes while a process routes what it had is repeated, too: here a request as of the asker.
  const routing = all.find(({ sid }) => sid.startsWith(tagOf(old.name)));
  assert.ok(routing);
  await old.server.evaluate(`
    Pid = ${processOf(routing)}, Asker = whereis(asker),
    ejabberd_hooks:add(filter_packet, fun(Packet) -> _ = self() =:= Pid andalso (Pid ! {bosh_request, Asker, <<>>}), Packet end, 10),
    ejabberd_router:route({message, <<>>, chat, <<>>, jid:make(<<"a">>, <<"localhost">>, <<"a">>), jid:decode(<<"${routing.jid}">>), [],
      [{text, <<>>, <<"routed">>}], undefined, [], #{}}), ok.`);
  // The gateway asks for none of them: it hears of that later.
  await old.server.evaluate('sys:suspend(megaphone_cluster).');
  await old.server.evaluate(`erlang:disconnect_node('${next.name}').`);
  await until(
    async () =>
      Math.max(
        ...(await serving(
          all.map(({ sid }) => sid),
          [old],
        )),
      ) === 0,
  );
  // Whose process was killed is told.
  await old.server.evaluate('megaphone_index ! sweep, sys:get_state(megaphone_index).');
  await next.server.evaluate('sys:resume(megaphone_moved).');
  await until(async () => Math.max(...(await serving(all.map(({ sid }) => sid)))) <= 1);
  assert.equal(await goOn(all), PEOPLE);
  const answers = await Promise.all(held);
  await old.server.evaluate('sys:resume(megaphone_cluster).');
  assert.ok(!answers.some(({ attributes }) => attributes?.type === 'terminate'));
  const told = await old.server.print(
    '[Word || {_, Word} <- element(2, process_info(whereis(asker), messages))]',
  );
  const [cuts = 0, moves = 0] = ['cut', 'moved'].map((word) => told.split(word).length - 1);
  assert.ok(cuts >= count && cuts + moves === PEOPLE, `${count}: ${told}`);
  assert.equal(
    await old.server.print(
      '[Status || {_, Status, _, _} <- element(2, process_info(whereis(asker), messages))]',
    ),
    '[503]',
  );
  for (const one of all) await one.terminate();
});

it('the nodes lose each other while a new process starts: nothing of the session is in the log', {
  timeout: 120_000,
}, async () => {
  const own = await ServerCluster.start(2);
  const front = await gatewayOf(own);
  try {
    const [one, two] = [own.member(1), own.member(2)];
    const [as] = await makeAccounts(one.server, ['secretive']);
    const login = (): Promise<BoshSession> =>
      BoshSession.login(front.url, {}, { ...as, resource: 'web', presence: '' });
    // One that began there: another node would be asked for it, which is to lose this one.
    let bob = await login();
    for (let tries = 0; (await place(own, bob)) === 2; tries += 1) {
      assert.ok(tries < 50, 'all begin at node 2');
      await bob.terminate();
      bob = await login();
    }
    // Is in the answer that it keeps.
    await bob.until((answer) => answer.xml.includes('SECRET'), message(bob.jid, 'SECRET'));
    const folder = (name: string): string => name.split('@', 1)[0] as string;
    const pid = Number(await readFile(join(two.instance.var, folder(two.name), 'ejabberd.pid'), 'utf8'));
    process.kill(pid, 'SIGSTOP');
    try {
      // Each of its threads when it comes to it.
      await until(() => tasksOf(pid).every((state) => state === 'T'));
      const answer = await one.server.print(`
        Pid = ${processOf(bob)}, Ref = make_ref(),
        Pid ! {megaphone_move, '${two.name}', {self(), Ref}},
        timer:sleep(300), erlang:disconnect_node('${two.name}'),
        receive {Ref, Answer} -> Answer after 20000 -> timeout end`);
      assert.equal(answer, '{stays,refused}');
    } finally {
      process.kill(pid, 'SIGCONT');
    }
    await bob.roundTrip();
    const log = (): Promise<string> =>
      readFile(join(one.instance.var, folder(one.name), 'logs', 'ejabberd.log'), 'utf8');
    await until(async () => (await log()).includes('Can not start'));
    // As text, or as bytes.
    assert.doesNotMatch(await log(), /SECRET|83,\s*69,\s*67,\s*82,\s*69,\s*84/);
  } finally {
    await front.service.stop();
    await own.stop();
  }
});
