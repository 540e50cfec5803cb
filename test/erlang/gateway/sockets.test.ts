/** A real Erlang node plays the module, and processes of its own the sessions, for real WebSocket clients. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { Erl } from '../../../scripts/support/erl.js';
import type { Service } from '../../../src/service/service.js';
import { until } from '../../support/until.js';
import { Cluster, inService, loadModule, next, play } from './support.js';
import { WebClient } from './web-client.js';

let cluster: Cluster;
let erl: Erl;
let service: Service;

beforeEach(async () => {
  cluster = await Cluster.start();
  erl = await cluster.erl('ejabberd');
  await loadModule(erl);
  await play(erl);
  await play(erl, 'session');
  service = await cluster.gateway({ nodes: erl.name });
  await inService(service);
});
afterEach(() => cluster.stop());

const KEEP = 'persistent_term:put(c, C)';
const C = 'persistent_term:get(c)';
const dropped = (): number => service.gateway.counters.dropped.stale;

/** A client that is asked for, and its ConnId kept. */
async function asked(): Promise<WebClient> {
  const client = new WebClient(service);
  await next(erl, KEEP);
  return client;
}

/** A client with `session` as its session. */
async function opened(): Promise<WebClient> {
  const client = new WebClient(service);
  await next(erl, `${KEEP}, C ! {C, session, whereis(session)}`);
  assert.equal(await client.next(), 'open');
  return client;
}

/** The next message to the session. */
const heard = (then = 'setelement(1, M, C =:= persistent_term:get(c))'): Promise<string> =>
  next(erl, then, 'session');

test('the module is told who asks, and the client hears nothing until a session is named', async () => {
  const client = new WebClient(service);
  const told = await next(
    erl,
    `${KEEP}, {C, open, Meta} = M, {is_pid(C), node(C), [maps:get(K, Meta) || K <- [<<"transport">>, <<"ip">>, <<"path">>]]}`,
  );
  assert.equal(told, `{true,${service.node.name},[<<"websocket">>,<<"127.0.0.1">>,<<"/ws">>]}`);
  assert.equal(service.gateway.counters.websocket.opened, 0);
  await erl.evaluate(`${C} ! {${C}, session, whereis(session)}`);
  assert.equal(await client.next(), 'open');
  client.send('hello');
  assert.equal(await heard(), '{true,<<"hello">>}');
});

test('a thousand frames each way, small and large, come in order', async () => {
  const client = await opened();
  const text = (number: number): string =>
    `${number}:${'x'.repeat(number % 100 === 0 ? 100_000 : number % 50)}`;
  const numbers = Array.from({ length: 1000 }, (_, index) => index + 1);
  for (const number of numbers) client.send(text(number));
  const came = erl.evaluate(`
    [begin
      session ! {next, self()},
      receive {message, {C, Text}} -> ((I rem 16 =:= 0) orelse byte_size(Text) > 16384) andalso (C ! {C, taken, I}), byte_size(Text) end
    end || I <- lists:seq(1, 1000)]`);
  assert.deepEqual(
    await came,
    numbers.map((number) => text(number).length),
  );
  await erl.evaluate(`
    C = ${C}, [C ! {C, frame, [integer_to_binary(I), $:, lists:duplicate(case I rem 100 of 0 -> 100000; _ -> I rem 50 end, $x)]}
      || I <- lists:seq(1, 1000)], ok`);
  for (const number of numbers) assert.equal(await client.next(), `text ${text(number)}`);
});

test('a session is told when its client has what it asked about', async () => {
  const client = await opened();
  await erl.evaluate(`C = ${C}, C ! {C, frame, <<"one">>}, C ! {C, frame, <<"two">>, 1 bsl 40}`);
  assert.deepEqual([await client.next(), await client.next()], ['text one', 'text two']);
  assert.equal(await heard(), `{true,read,${2 ** 40}}`);
});

test('a client is read no further until its session says what it took', async () => {
  const client = await opened();
  for (let frame = 1; frame <= 100; frame += 1) client.send(`${frame}`);
  const { websocket } = service.gateway.counters;
  for (let frame = 1; frame <= 64; frame += 1) assert.equal(await heard('element(2, M)'), `<<"${frame}">>`);
  await erl.evaluate(
    `${C} ! {${C}, frame, <<"still there">>}, ${C} ! {${C}, taken, 65}, ${C} ! {${C}, taken, -1}`,
  );
  assert.equal(await client.next(), 'text still there');
  assert.equal(websocket.frames_in, 64);
  await erl.evaluate(`${C} ! {${C}, taken, 16}`);
  for (let frame = 65; frame <= 80; frame += 1) assert.equal(await heard('element(2, M)'), `<<"${frame}">>`);
  await erl.evaluate(`${C} ! {${C}, frame, <<"again">>}`);
  assert.equal(await client.next(), 'text again');
  assert.equal(websocket.frames_in, 80);
  await erl.evaluate(`${C} ! {${C}, taken, 80}`);
  for (let frame = 81; frame <= 100; frame += 1) assert.equal(await heard('element(2, M)'), `<<"${frame}">>`);
});

for (const [how, act, code] of [
  ['closes', (client: WebClient) => client.close(4001, 'bye'), 4001],
  ['closes without a code', (client: WebClient) => client.close(), 1005],
  ['is just gone', (client: WebClient) => client.terminate(), 1006],
] as const) {
  test(`a client that ${how}: its session hears ${code}, and the ConnId is over`, async () => {
    const client = await opened();
    await erl.evaluate(`
      persistent_term:put(down, spawn(fun() ->
        Ref = monitor(process, ${C}), session ! {x, monitored}, receive {'DOWN', Ref, _, _, R} -> session ! {x, R} end end))`);
    assert.equal(await heard('M'), '{x,monitored}');
    await until(() => service.node.peers().some(({ framesIn }) => framesIn > 0));
    act(client);
    const told = [await heard('tl(tuple_to_list(M))'), await heard('tl(tuple_to_list(M))')].sort();
    assert.deepEqual(told, [`[closed,${code}]`, '[normal]']);
    const before = dropped();
    assert.equal(
      await erl.text(`
        C = ${C}, C ! {C, frame, <<"late">>}, {megaphone, node(C)} ! {C, frame, <<"late">>}, C ! {C, taken, 1}, C ! {C, close, 1000, []},
        Ref = monitor(process, C), receive {'DOWN', Ref, _, _, R} -> R end`),
      'noproc',
    );
    await until(() => dropped() === before + 4);
  });
}

test('a session closes: its client hears the code and the reason, and the session nothing more', async () => {
  const client = await opened();
  await erl.evaluate(`
    C = ${C}, Ref = monitor(process, C), C ! {C, frame, <<"last words">>}, C ! {C, close, 1008, "slow down"},
    receive {'DOWN', Ref, _, _, normal} -> ok end`);
  assert.deepEqual([await client.next(), await client.next()], ['text last words', 'close 1008 slow down']);
  // Whatever it was told would have come before this.
  await erl.evaluate('session ! {x, nothing}');
  assert.equal(await heard('M'), '{x,nothing}');
});

test('the slot of one that is over is taken again, and its ConnId means nobody', async () => {
  const first = await opened();
  first.close();
  assert.equal(await heard('element(2, M)'), 'closed');
  await erl.evaluate(`persistent_term:put(old, ${C})`);
  const second = await opened();
  const before = dropped();
  await erl.evaluate(`
    Old = persistent_term:get(old), Old ! {Old, frame, <<"for nobody">>}, Old ! <<"for nobody">>, Old ! {Old, close, 1000, <<>>},
    ${C} ! {${C}, frame, <<"for you">>}`);
  assert.equal(await second.next(), 'text for you');
  assert.equal(dropped(), before + 3);
  assert.equal(await erl.text(`${C} =:= persistent_term:get(old)`), 'false');
});

test('a client that leaves before it is granted: the session that comes for it hears so', async () => {
  const client = await asked();
  client.terminate();
  await until(() => service.gateway.sockets.size === 0);
  await erl.evaluate(`${C} ! {${C}, session, whereis(session)}`);
  assert.equal(await heard(), '{true,closed,1006}');
});

test('another process of the node takes the place of the session', async () => {
  const client = await opened();
  await play(erl, 'heir');
  client.send('to the first');
  assert.equal(await heard(), '{true,<<"to the first">>}');
  await erl.evaluate(`C = ${C}, C ! {C, session, whereis(heir)}, C ! {C, frame, <<"now">>}`);
  assert.equal(await client.next(), 'text now');
  client.send('to the heir');
  assert.equal(await next(erl, 'element(2, M)', 'heir'), '<<"to the heir">>');
  client.close(1000);
  assert.equal(await next(erl, 'element(2, M)', 'heir'), 'closed');
});

test('a session of another node is none, unless it says so itself', async () => {
  const other = await cluster.erl('other');
  await other.evaluate(`pong = net_adm:ping('${erl.name}'), pong = net_adm:ping('${service.node.name}'), ok`);
  const client = await asked();
  const { dropped: counts } = service.gateway.counters;
  const connId = await erl.text(`base64:encode(term_to_binary(${C}))`);
  await erl.evaluate(`${C} ! {${C}, session, rpc:call('other@localhost', erlang, whereis, [init])}`);
  await until(() => counts.unknown_shape === 1);
  // Sessions move from node to node.
  await other.evaluate(
    `C = binary_to_term(base64:decode(${connId})), C ! {C, session, self()}, C ! {C, frame, <<"here">>}, ok`,
  );
  assert.equal(await client.next(), 'open');
  assert.equal(await client.next(), 'text here');
});

for (const [form, status] of [
  ['{C, 403, <<"no">>}', 403],
  ['{C, 503, [{<<"retry-after">>, <<"1">>}], <<"later">>}', 503],
  ['{401, "who?"}', 401],
  ['{C, close, 1011, <<>>}', 503],
] as const) {
  test(`${form} instead of a session refuses the upgrade`, async () => {
    const client = await asked();
    await erl.evaluate(`C = ${C}, C ! {C, frame, <<"too early">>}, C ! {C, taken, 1}, C ! ${form}`);
    assert.equal(await client.next(), `refused ${status}`);
    assert.equal(dropped(), 2);
  });
}

test('an answer of HTTP to one that is open is of no use', async () => {
  const client = await opened();
  await erl.evaluate(`C = ${C}, C ! {C, 403, <<"no">>}, C ! {C, frame, <<"yes">>}`);
  assert.equal(await client.next(), 'text yes');
  assert.equal(dropped(), 1);
});

test('a frame that is no text ends the connection: its client could not be told', async () => {
  const client = await opened();
  await erl.evaluate(`C = ${C}, C ! {C, frame, <<255>>}`);
  assert.equal(await client.next(), 'close 1011 the server sent what is no text');
  assert.equal(await heard(), '{true,closed,1011}');
});

test('the connection to the node breaks: its clients hear 1012, those that were not granted 503, and then it goes on', async () => {
  const client = await opened();
  const waiting = new WebClient(service);
  await next(erl);
  await erl.evaluate(`erlang:disconnect_node('${service.node.name}')`);
  assert.equal(await waiting.next(), 'refused 503');
  assert.equal(await client.next(), 'close 1012 the server was lost');
  assert.equal(service.gateway.sockets.size, 0);
  await inService(service);
  await opened();
});

test('the module restarts: those that are open notice nothing, those that were not granted hear 503', async () => {
  const client = await opened();
  const waiting = new WebClient(service);
  await next(erl);
  await erl.evaluate('exit(whereis(mod_megaphone), kill)');
  assert.equal(await waiting.next(), 'refused 503');
  client.send('hello');
  assert.equal(await heard(), '{true,<<"hello">>}');
  await erl.evaluate(`${C} ! {${C}, frame, <<"welcome">>}`);
  assert.equal(await client.next(), 'text welcome');
});

test('a node that does not read: its clients hear 1013, and when it reads again its sessions learn of it', async () => {
  const client = await opened();
  erl.freeze();
  // The window of one client is far less than what a link holds.
  const head = Buffer.of(131, 106);
  while (service.node.sendToName(erl.name, 'nobody', head, Buffer.alloc(1_000_000)));
  client.send('too much');
  assert.equal(await client.next(), 'close 1013 the server does not keep up');
  erl.thaw();
  assert.equal(await heard(), '{true,closed,1013}');
});

test('the gateway stops: 1012, and 503 for those that were not granted', async () => {
  const client = await opened();
  const waiting = new WebClient(service);
  await next(erl);
  service.gateway.stop();
  assert.equal(await client.next(), 'close 1012 this gateway is stopping');
  assert.equal(await waiting.next(), 'refused 503');
  assert.equal(await heard(), '{true,closed,1012}');
});

test('a shell: its client is in at once, and it may say things as they come', async () => {
  const shell = await cluster.erl('shell');
  await play(shell);
  const other = await cluster.gateway({ nodes: shell.name });
  await inService(other);
  const client = new WebClient(other);
  assert.equal(await client.next(), 'open');
  assert.equal(await next(shell, `${KEEP}, {element(2, M), is_map(element(3, M))}`), '{open,true}');
  client.send('hello');
  assert.equal(await next(shell, `{C =:= ${C}, element(2, M)}`), '{true,<<"hello">>}');
  for (const form of [
    '<<"hi">>',
    '"hi"',
    '{frame, <<"hi">>}',
    '{C, frame, ["h", $i]}',
    '{C, <<"hi">>}',
    '{frame, "hi", 1}',
  ]) {
    await shell.evaluate(`C = ${C}, C ! ${form}`);
    assert.equal(await client.next(), 'text hi', form);
  }
  await shell.evaluate(`C = ${C}, {megaphone, node(C)} ! {C, frame, <<"by name">>}`);
  assert.equal(await client.next(), 'text by name');
  assert.equal(await next(shell, 'tl(tuple_to_list(M))'), '[read,1]');
  await shell.evaluate(`${C} ! {close, 3000, "bye"}`);
  assert.equal(await client.next(), 'close 3000 bye');
  const unknown = other.gateway.counters.dropped.unknown_shape;
  assert.equal(unknown, 0);
});

test('a shell hears of the end of its client, and its client of its end', async () => {
  const shell = await cluster.erl('shell');
  await play(shell);
  const other = await cluster.gateway({ nodes: shell.name });
  await inService(other);
  const [first, second] = [new WebClient(other), new WebClient(other)];
  for (const client of [first, second]) {
    assert.equal(await client.next(), 'open');
    await next(shell);
  }
  first.close(1001);
  assert.equal(await next(shell, 'tl(tuple_to_list(M))'), '[closed,1001]');
  await shell.evaluate('exit(whereis(mod_megaphone), kill)');
  assert.equal(await second.next(), 'close 1012 the server was lost');
});
