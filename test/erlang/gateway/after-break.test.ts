/** What a gateway asks and sends again when a node, or the connection to it, or its module, was away for a moment. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import type { Erl } from '../../../scripts/support/erl.js';
import { tagOf } from '../../../src/gateway/sid.js';
import type { Service } from '../../../src/service/service.js';
import { until } from '../../support/until.js';
import { Cluster, inService, loadModule, next, play, post, sayTaken } from './support.js';

let cluster: Cluster;
let erl: Erl;
beforeEach(async () => {
  cluster = await Cluster.start();
  erl = await cluster.erl('ejabberd');
  await loadModule(erl);
  await play(erl);
});
afterEach(() => cluster.stop());

const SID = `${tagOf('ejabberd@localhost')}.r`;
const request = (rid: number): string => `<body sid='${SID}' rid='${rid}'/>`;
/** What is held, and what the module is asked of it. */
const held = (rid: number): string => `{held,<<"${SID}">>,${rid}}`;

const gatewayTo = async (settings: Readonly<Record<string, unknown>> = {}): Promise<Service> => {
  const service = await cluster.gateway({ nodes: erl.name, node_return_wait: '5 min', ...settings });
  await inService(service);
  return service;
};

/** The node drops the connection, and takes the next. */
const cut = (service: Service): Promise<unknown> =>
  erl.evaluate(`erlang:disconnect_node('${service.node.name}')`);

const CRASH = `
  Ref = monitor(process, mod_megaphone), exit(whereis(mod_megaphone), kill),
  receive {'DOWN', Ref, _, _, _} -> ok end`;

/** Of the next message: what it is. */
const WHAT = 'case M of {_, Body} -> Body; {_, held, Sid, Rid} -> {held, Sid, Rid} end';
/** The same, and it is answered with its ConnId's number of answers so far. */
const ANSWER = `C ! <<"answer">>, ${WHAT}`;

for (const [what, breakIt] of [
  ['the connection', cut],
  ['the module', () => erl.evaluate(CRASH).then(() => play(erl))],
] as const) {
  test(`${what} breaks: what was not taken is sent again, of the rest is asked, in order, then comes what is new`, {
    timeout: 60_000,
  }, async () => {
    const service = await gatewayTo();
    const answers: Promise<Response>[] = [];
    const ask = async (rid: number): Promise<void> => {
      answers.push(post(service, request(rid)));
      assert.equal(await next(erl, WHAT), `<<"${request(rid)}">>`);
    };
    // In the order of their rids they were not sent.
    for (const rid of [3, 2, 1]) await ask(rid);
    assert.equal(await sayTaken(erl), 3);
    await until(() => service.gateway.cluster.nodes[0]?.outbox.onTheWay === 0);
    for (const rid of [5, 4]) await ask(rid);
    await breakIt(service);
    const expected = [held(1), held(2), held(3), `<<"${request(5)}">>`, `<<"${request(4)}">>`];
    for (const each of expected) assert.equal(await next(erl, ANSWER), each);
    for (const answered of answers) assert.equal(await (await answered).text(), 'answer');
    assert.deepEqual([service.gateway.openExchanges, service.gateway.counters.refused.node_lost], [0, 0]);
    const last = post(service, request(6));
    assert.equal(await next(erl, ANSWER), `<<"${request(6)}">>`);
    await last;
  });
}

test('an answer that comes over a later connection than its request went counts after the question only', {
  timeout: 60_000,
}, async () => {
  const service = await gatewayTo();
  const answers = [1, 2].map((rid) => post(service, request(rid)));
  await next(erl, 'persistent_term:put(first, C)');
  await next(erl, 'persistent_term:put(second, C)');
  await sayTaken(erl);
  // The node is too slow to say which contract it speaks: the connection is there, and nothing was asked yet.
  await erl.evaluate('sys:suspend(rex)');
  await cut(service);
  await erl.evaluate(`pong = net_adm:ping('${service.node.name}')`);
  await erl.evaluate('persistent_term:get(second) ! <<"overtaking">>');
  await erl.evaluate(`pong = net_adm:ping('${service.node.name}'), sys:resume(rex)`);
  for (const rid of [1, 2]) assert.equal(await next(erl, `C ! <<"in order">>, ${WHAT}`), held(rid));
  for (const answered of answers) assert.equal(await (await answered).text(), 'in order');
});

test('what nobody can ask for any more is asked no more: the client left', async () => {
  const service = await gatewayTo();
  const abort = new AbortController();
  const given = post(service, request(1), { signal: abort.signal }).catch(() => 'gone');
  await next(erl);
  await erl.kill();
  await inService(service, 0);
  abort.abort();
  await given;
  await until(() => service.gateway.openExchanges === 0);
  await erl.restart();
  await loadModule(erl);
  await play(erl);
  const answered = post(service, request(2));
  assert.equal(await next(erl, ANSWER), `<<"${request(2)}">>`);
  await answered;
});

test('a node that does not return in time: what was held hears 503', async () => {
  const service = await gatewayTo({ node_return_wait: '1 s' });
  const answered = post(service, request(1));
  await next(erl);
  await erl.kill();
  assert.equal((await answered).status, 503);
  assert.equal(service.gateway.counters.refused.node_lost, 1);
});

test('a shell takes the place of the module: it is asked nothing', async () => {
  const service = await gatewayTo();
  const answered = post(service, request(1));
  await next(erl);
  await sayTaken(erl);
  await until(() => service.gateway.cluster.nodes[0]?.outbox.onTheWay === 0);
  await erl.restart();
  await play(erl);
  assert.equal((await answered).status, 503);
});

test('20,000 held requests: the questions come by the window', async () => {
  const service = await gatewayTo({ max_exchanges: 20_000 });
  const client = { ip: '', port: 0, secure: false, path: '', origin: '', userAgent: '' };
  const statuses: number[] = [];
  const COUNT = 20_000;
  const [node] = service.gateway.cluster.nodes;
  // As the hub does.
  const takeAll = (what: string): Promise<unknown> =>
    erl.evaluate(`
      Self = self(),
      spawn(fun() ->
        unregister(mod_megaphone), register(mod_megaphone, self()), Self ! ready,
        Loop = fun Loop(Most) ->
          {message_queue_len, Length} = process_info(self(), message_queue_len),
          Longest = max(Most, Length),
          receive
            {G, mark, P} -> {megaphone, node(G)} ! {taken, P}, Loop(Longest);
            {C, held, _, _} -> C ! <<"${what}">>, Loop(Longest);
            {most, Who} -> Who ! {most, Longest}, Loop(Longest);
            _ -> Loop(Longest)
          end
        end,
        Loop(0)
      end),
      receive ready -> ok end`);
  await takeAll('one');
  for (let rid = 0; rid < COUNT; rid += 1) {
    const answer = (status: number): void => {
      statuses.push(status);
    };
    service.gateway.request({ answer }, { body: Buffer.from(request(rid)), client });
  }
  await until(() => node?.outbox.onTheWay === 0 && node.outbox.waiting.size === 0);
  await cut(service);
  await until(() => statuses.length === COUNT);
  assert.ok(statuses.every((status) => status === 200));
  const most = await erl.text('mod_megaphone ! {most, self()}, receive {most, Most} -> Most end');
  // Beside them there are the marks.
  assert.ok(Number(most) <= 1024 + 16, most);
});
