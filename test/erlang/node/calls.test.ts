/** Calls and messages between the hidden node and a real one, both ways: ping, gen_server, rpc, and how each of them fails. */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, describe, test } from 'node:test';
import type { Erl } from '../../../scripts/support/erl.js';
import { decodeVersioned } from '../../../src/etf/decode.js';
import { encodeVersioned } from '../../../src/etf/encode.js';
import { Atom, atom, binary, Pid, type Term, Tuple, tuple } from '../../../src/etf/terms.js';
import type { HiddenNode } from '../../../src/node/hidden-node.js';
import { type IncomingCall, incomingCall } from '../../../src/node/incoming-call.js';
import { AMPLE_MS, Cluster, NODE, PEER } from './cluster.js';

describe('calls between a hidden node and a real one', { timeout: 120_000 }, () => {
  let cluster: Cluster;
  let erl: Erl;
  let node: HiddenNode;

  before(async () => {
    cluster = await Cluster.start();
    erl = await cluster.erl();
    node = await cluster.node();
    node.register('megaphone', {
      deliver: (message) => {
        const call = incomingCall(message);
        if (call === undefined) return;
        node.reply(call, call.request instanceof Atom ? new Map([[call.request, 1]]) : call.request);
      },
    });
    await node.connect(PEER);
  });
  after(() => cluster.stop());

  test('ping is answered pong, both ways', async () => {
    assert.equal(await erl.text(`net_adm:ping('${NODE}')`), 'pong');
    assert.equal(await node.ping(PEER), true);
  });

  test('we are a hidden node there, and no visible one', async () => {
    assert.equal(await erl.text('{nodes(hidden), nodes()}'), `{['${NODE}'],[]}`.replaceAll("'", ''));
  });

  test('gen_server:call answers a map', async () => {
    assert.equal(await erl.text(`gen_server:call({megaphone, '${NODE}'}, stats)`), '#{stats => 1}');
  });

  test('callers listen on an alias, so a late answer does not stay in the mailbox', async () => {
    const late: IncomingCall[] = [];
    node.register('slow', {
      deliver: (message) => {
        const call = incomingCall(message);
        if (call !== undefined) late.push(call);
      },
    });
    node.register('hurry', {
      deliver: (message) => {
        for (const call of late.splice(0)) assert.equal(node.reply(call, atom('too_late')), true);
        const call = incomingCall(message);
        if (call !== undefined) node.reply(call, atom('done'));
      },
    });
    const expression = `begin
      {'EXIT', {timeout, _}} = (catch gen_server:call({slow, '${NODE}'}, x, 1)),
      done = gen_server:call({hurry, '${NODE}'}, x),
      process_info(self(), messages) end`;
    assert.equal(await erl.text(expression), '{messages,[]}');
  });

  test('a caller with a plain reference as tag is answered at its pid', async () => {
    const expression = `Ref = make_ref(), {megaphone, '${NODE}'} ! {'$gen_call', {self(), Ref}, plain},
      receive {Ref, Answer} -> Answer end`;
    assert.equal(await erl.text(expression), '#{plain => 1}');
  });

  test('what a caller sends comes back as it was', async () => {
    const terms =
      '{1, -1, 1 bsl 70, 3.5, "string", <<"binary">>, [a|b], #{k => [#{}]}, self(), make_ref(), fun lists:map/2}';
    assert.equal(
      await erl.text(`begin T = ${terms}, T =:= gen_server:call({megaphone, '${NODE}'}, T) end`),
      'true',
    );
  });

  test('a call to a name nobody has fails at once with noproc', async () => {
    assert.match(
      await erl.text(`catch gen_server:call({nobody, '${NODE}'}, stats, infinity)`),
      /^{'EXIT',{noproc,/,
    );
  });

  test('a call to a process that ends meanwhile fails with its reason', async () => {
    node.register('brief', { deliver: () => node.unregister('brief', atom('had_enough')) });
    assert.match(
      await erl.text(`catch gen_server:call({brief, '${NODE}'}, stats, infinity)`),
      /^{'EXIT',{had_enough,/,
    );
  });

  test('rpc:call to us fails at once, and so do erpc and a spawn', async () => {
    assert.equal(await erl.text(`rpc:call('${NODE}', erlang, node, [], infinity)`), '{badrpc,notsup}');
    assert.match(await erl.text(`catch erpc:call('${NODE}', erlang, node, [], infinity)`), /notsup/);
  });

  test('our call to a real server', async () => {
    await erl.evaluate(`register(echo, spawn(fun Echo() ->
      receive {'$gen_call', From, Request} -> gen_server:reply(From, {echo, Request}), Echo() end end))`);
    assert.deepEqual(
      await node.call(PEER, 'echo', tuple(1, binary('x')), AMPLE_MS),
      tuple(atom('echo'), tuple(1, binary('x'))),
    );
  });

  test('our calls fail with what happened', async () => {
    await assert.rejects(node.call(PEER, 'nobody', atom('x'), AMPLE_MS), { code: 'NODE_NOPROC', node: PEER });
    await assert.rejects(node.call('other@localhost', 'hub', atom('x'), AMPLE_MS), {
      code: 'NODE_NOCONNECTION',
    });
    await erl.evaluate('register(deaf, spawn(fun() -> receive stop -> ok end end))');
    await assert.rejects(node.call(PEER, 'deaf', atom('x'), 20), { code: 'NODE_TIMEOUT' });
    await erl.evaluate('register(dying, spawn(fun() -> receive _ -> exit(oops) end end))');
    await assert.rejects(node.call(PEER, 'dying', atom('x'), AMPLE_MS), {
      code: 'NODE_CALL_FAILED',
      message: /oops/,
    });
  });

  test('a call that timed out leaves no monitor behind', async () => {
    await erl.evaluate('register(deafer, spawn(fun() -> receive stop -> ok end end))');
    await assert.rejects(node.call(PEER, 'deafer', atom('x'), 20), { code: 'NODE_TIMEOUT' });
    await node.ping(PEER);
    assert.equal(await erl.text('process_info(whereis(deafer), monitored_by)'), '{monitored_by,[]}');
  });

  test('a server that monitors its caller is told when the call is over', async () => {
    await erl.evaluate(`register(wary, spawn(fun() -> receive {'$gen_call', {Pid, _} = From, _} ->
      M = monitor(process, Pid), gen_server:reply(From, ok),
      receive {'DOWN', M, process, Pid, Reason} ->
        receive {'$gen_call', Again, _} -> gen_server:reply(Again, Reason) end end end end))`);
    assert.deepEqual(await node.call(PEER, 'wary', atom('first'), AMPLE_MS), atom('ok'));
    assert.deepEqual(await node.call(PEER, 'wary', atom('second'), AMPLE_MS), atom('normal'));
  });

  test('rpc from us', async () => {
    assert.deepEqual(await node.rpc(PEER, 'erlang', 'node', [], AMPLE_MS), atom(PEER));
    assert.equal(await node.rpc(PEER, 'lists', 'sum', [[1, 2, 300]], AMPLE_MS), 303);
    await assert.rejects(node.rpc(PEER, 'no_such_module', 'f', [], AMPLE_MS), { code: 'NODE_BADRPC' });
  });

  test('messages to our pids reach their owner with the sender’s node, those of another life do not', async () => {
    const received: { to: Pid; message: Term; peer: string }[] = [];
    node.adoptPids({
      deliver: (to, bytes, start, end, peer) =>
        received.push({ to, message: decodeVersioned(bytes.subarray(start, end)), peer }),
      isAlive: () => true,
    });
    const mine = new Pid(NODE, 5, 6, node.creation);
    const stale = new Pid(NODE, 5, 6, node.creation + 1);
    await erl.evaluate(`register(poster, spawn(fun() ->
      receive {'$gen_call', From, Pids} -> [P ! hello || P <- Pids], gen_server:reply(From, ok) end end))`);
    await node.call(PEER, 'poster', [stale, mine], AMPLE_MS);
    assert.deepEqual(received, [{ to: mine, message: atom('hello'), peer: PEER }]);
  });

  test('every id and serial of a pid survives the round trip and finds its owner', async () => {
    const edges = [0, 1, 2 ** 13, 2 ** 15, 2 ** 18, 2 ** 28 - 1, 2 ** 28, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1];
    const pids = edges.flatMap((id) =>
      edges.map((serial) => new Pid(NODE, Math.max(1, id), serial, node.creation)),
    );
    const found: Pid[] = [];
    node.adoptPids({ deliver: (to) => found.push(to), isAlive: () => true });
    await erl.evaluate(`register(poster, spawn(fun() ->
      receive {'$gen_call', From, Pids} -> [P ! hello || P <- Pids], gen_server:reply(From, Pids) end end))`);
    assert.deepEqual(await node.call(PEER, 'poster', pids, AMPLE_MS), pids);
    assert.deepEqual(found, pids);
  });

  test('messages from us reach a pid and a name', async () => {
    const pid = (await erl.evaluate(`spawn(fun() ->
      receive {'$gen_call', From, _} -> receive M -> gen_server:reply(From, M) end end end)`)) as Pid;
    await erl.evaluate(`register(taker, list_to_pid("<0.${pid.id}.${pid.serial}>"))`);
    const answer = node.call(PEER, 'taker', atom('next'), AMPLE_MS);
    assert.equal(node.send(pid, encodeVersioned(binary('to the pid'))), true);
    assert.deepEqual(await answer, binary('to the pid'));

    const named = erl.text('begin register(inbox, self()), receive M -> M end end');
    await erl.evaluate('(fun Wait() -> case whereis(inbox) of undefined -> Wait(); _ -> ok end end)()');
    assert.equal(node.sendToName(PEER, 'inbox', encodeVersioned(tuple(atom('to'), 1))), true);
    assert.equal(await named, '{to,1}');
  });

  test('there is no sending where there is no connection', () => {
    assert.equal(node.sendToName('other@localhost', 'hub', encodeVersioned(1)), false);
    assert.equal(node.send(new Pid('other@localhost', 1, 1, 1), encodeVersioned(1)), false);
  });

  test('a message of 16 MiB, both ways', async () => {
    const big = Buffer.alloc(16 * 1024 * 1024, 'abcdefg');
    const hash = await erl.evaluate(`register(hasher, spawn(fun() ->
      receive {'$gen_call', From, B} -> gen_server:reply(From, {erlang:md5(B), B}) end end)), ok`);
    assert.deepEqual(hash, atom('ok'));
    const answer = await node.call(PEER, 'hasher', big, AMPLE_MS);
    assert.ok(answer instanceof Tuple);
    assert.deepEqual(answer.elements[0], createHash('md5').update(big).digest());
    assert.ok(big.equals(answer.elements[1] as Buffer));
  });

  test('names are registered once', () => {
    assert.throws(() => node.register('megaphone', { deliver: () => {} }), { code: 'NODE_NAME_REGISTERED' });
  });

  test('the counters of a peer count', async () => {
    const before = node.peers().find((peer) => peer.node === PEER);
    await node.ping(PEER);
    const after = node.peers().find((peer) => peer.node === PEER);
    assert.ok(before !== undefined && after !== undefined);
    assert.equal(after.up, true);
    assert.ok(after.framesIn > before.framesIn && after.bytesIn > before.bytesIn);
    assert.ok(after.framesOut > before.framesOut && after.bytesOut > before.bytesOut);
  });
});
