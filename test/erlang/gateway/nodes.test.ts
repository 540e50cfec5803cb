/** Which node gets a request, and what becomes of requests when nodes go and come back. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, test } from 'node:test';
import { tagOf } from '../../../src/gateway/sid.js';
import { until } from '../../support/until.js';
import { Cluster, inService, loadModule, next, play, post } from './support.js';

let cluster: Cluster;
beforeEach(async () => {
  cluster = await Cluster.start();
});
afterEach(() => cluster.stop());

const request = (node: string): string => `<body sid='${tagOf(node)}.r4nd0m' rid='7'/>`;

test('without any node in service a new session is answered 503, with Retry-After', async () => {
  const service = await cluster.gateway({ nodes: 'ejabberd@localhost' });
  const response = await post(service);
  assert.equal(response.status, 503);
  assert.equal(response.headers.get('retry-after'), '2');
  assert.equal(service.gateway.counters.refused.no_node, 1);
});

test('our module gets {ConnId, Body, Meta} for a new session, {ConnId, Body} within one', async () => {
  const erl = await cluster.erl('ejabberd');
  await loadModule(erl);
  await play(erl);
  const service = await cluster.gateway({ nodes: erl.name });
  await inService(service);
  const headers = { origin: 'https://chat.example.org', 'user-agent': 'Tester/1' };
  const started = post(service, "<body to='localhost'/>", { headers });
  assert.equal(
    await next(
      erl,
      `{C, <<"<body to='localhost'/>">>, Meta} = M, C ! <<"ok">>,
       {lists:sort(maps:to_list(maps:remove(<<"port">>, Meta))), is_integer(maps:get(<<"port">>, Meta))}`,
    ),
    '{[{<<"ip">>,<<"127.0.0.1">>},{<<"origin">>,<<"https://chat.example.org">>},{<<"path">>,<<"/bosh">>},' +
      '{<<"secure">>,false},{<<"user_agent">>,<<"Tester/1">>}],true}',
  );
  await started;
  const continued = post(service, request(erl.name));
  assert.equal(await next(erl, 'C ! <<"ok">>, tuple_size(M)'), '2');
  await continued;
});

test('the address of the client comes from X-Forwarded-For behind a trusted proxy only', async () => {
  const erl = await cluster.erl('ejabberd');
  await loadModule(erl);
  await play(erl);
  const nodes = erl.name;
  const trusting = await cluster.gateway({ nodes, trusted_proxies: ['127.0.0.0/8', '10.0.0.0/8'] });
  const wary = await cluster.gateway({ nodes });
  await inService(trusting);
  await inService(wary);
  const headers = { 'x-forwarded-for': '6.6.6.6, 192.0.2.7, 10.1.1.1', 'x-forwarded-proto': 'https' };
  const seen = '#{<<"ip">> := Ip, <<"secure">> := Secure} = element(3, M), C ! <<"ok">>, {Ip, Secure}';
  for (const [service, expected] of [
    [trusting, '{<<"192.0.2.7">>,true}'],
    [wary, '{<<"127.0.0.1">>,false}'],
  ] as const) {
    const answered = post(service, undefined, { headers });
    assert.equal(await next(erl, seen), expected);
    await answered;
  }
});

test('with two nodes a sid finds its node, and new sessions are spread', async () => {
  const nodes = [await cluster.erl('one'), await cluster.erl('two')];
  const service = await cluster.gateway({ nodes: nodes.map(({ name }) => name) });
  for (const erl of nodes) {
    await loadModule(erl);
    await play(erl);
  }
  await inService(service, 2);
  for (const erl of [...nodes, ...nodes]) {
    const answered = post(service, request(erl.name));
    await next(erl, 'C ! atom_to_binary(node())');
    assert.equal(await (await answered).text(), erl.name);
  }
  /** What waits at each for the next request. */
  const waiting = new Map<string, Promise<unknown>>();
  const chosen = new Set<string>();
  for (let n = 0; n < 30; n += 1) {
    const answered = post(service);
    for (const erl of nodes) {
      if (!waiting.has(erl.name))
        waiting.set(
          erl.name,
          next(erl, 'C ! atom_to_binary(node())').catch(() => {}),
        );
    }
    const name = await (await answered).text();
    chosen.add(name);
    await waiting.get(name);
    waiting.delete(name);
  }
  assert.equal(chosen.size, 2, 'by chance one of them gets none once in a thousand million times');
});

test('a sid that no node gives is answered as BOSH says: terminate, item-not-found; one of a node that is not known goes to one that is', async () => {
  const erl = await cluster.erl('ejabberd');
  await loadModule(erl);
  await play(erl);
  const service = await cluster.gateway({ nodes: erl.name });
  await inService(service);
  for (const sid of ['nonsense', '']) {
    const response = await post(service, `<body sid='${sid}'/>`);
    assert.equal(response.status, 200);
    assert.equal(response.headers.get('content-type'), 'text/xml; charset=utf-8');
    assert.match(
      await response.text(),
      /^<body type='terminate' condition='item-not-found' xmlns='[^']+httpbind'\/>$/,
    );
  }
  assert.equal(service.gateway.counters.refused.unknown_sid, 2);
  const answered = post(service, `<body sid='zzzzzz.1'/>`);
  await next(erl, 'C ! <<"it moved here">>');
  assert.equal(await (await answered).text(), 'it moved here');
});

test('a killed node: what was sent there goes there again on its return; who waits for a new session hears 503', async () => {
  const erl = await cluster.erl('ejabberd');
  await loadModule(erl);
  await play(erl);
  const service = await cluster.gateway({ nodes: erl.name, node_return_wait: '5 min' });
  await inService(service);
  const held = post(service, request(erl.name));
  await next(erl);
  const starting = post(service);
  await next(erl);
  await erl.kill();
  assert.equal((await starting).status, 503);
  assert.equal(service.gateway.counters.refused.node_lost, 1);
  assert.equal((await post(service)).status, 503);

  const later = post(service, request(erl.name));
  await until(() => service.gateway.openExchanges === 2);
  await erl.restart();
  await loadModule(erl);
  await play(erl);
  for (const answered of [held, later]) {
    assert.equal(await next(erl, 'C ! <<"welcome back">>, element(2, M)'), `<<"${request(erl.name)}">>`);
    assert.equal(await (await answered).text(), 'welcome back');
  }
});

test('a request whose node does not come back in time is refused with 503', async () => {
  const service = await cluster.gateway({ nodes: 'ejabberd@localhost', node_return_wait: '1 s' });
  const response = await post(service, request('ejabberd@localhost'));
  assert.equal(response.status, 503);
  assert.equal(response.headers.get('retry-after'), '2');
  assert.equal(service.gateway.openExchanges, 0);
});

test('a client that leaves while its request waits is forgotten', async () => {
  const service = await cluster.gateway({ nodes: 'ejabberd@localhost', node_return_wait: '5 min' });
  const abort = new AbortController();
  const given = post(service, request('ejabberd@localhost'), { signal: abort.signal }).catch(() => 'gone');
  await until(() => service.gateway.openExchanges === 1);
  abort.abort();
  assert.equal(await given, 'gone');
  await until(() => service.gateway.openExchanges === 0);
  const erl = await cluster.erl('ejabberd');
  await play(erl);
  await inService(service);
  const answered = post(service, '<body>now</body>');
  assert.equal(await next(erl, 'C ! <<"ok">>, element(2, M)'), '<<"<body>now</body>">>');
  await answered;
});

test('the module gone without its node: out of service, what is held can still be answered, then back', async () => {
  const erl = await cluster.erl('ejabberd');
  await loadModule(erl);
  await play(erl);
  const service = await cluster.gateway({ nodes: erl.name, node_return_wait: '5 min' });
  await inService(service);
  const held = post(service, request(erl.name));
  await next(erl, 'persistent_term:put(held, C)');
  await erl.evaluate('mod_megaphone ! stop');
  await inService(service, 0);
  assert.match(service.gateway.cluster.nodes[0]?.reason ?? '', /mod_megaphone/);
  const waiting = post(service, request(erl.name));
  await until(() => service.gateway.openExchanges === 2);
  await erl.evaluate('persistent_term:get(held) ! <<"still here">>');
  assert.equal(await (await held).text(), 'still here');
  await play(erl);
  await next(erl, 'C ! <<"and back">>');
  assert.equal(await (await waiting).text(), 'and back');
});

test('a node without mod_megaphone is out of service and says why', async () => {
  const erl = await cluster.erl('ejabberd');
  const service = await cluster.gateway({ nodes: erl.name });
  const [node] = service.gateway.cluster.nodes;
  await until(() => node?.reason === `no process is registered as mod_megaphone on ${erl.name}`);
  assert.equal(node?.kind, undefined);
});

test('a module of another contract is out of service and says why', async () => {
  const erl = await cluster.erl('ejabberd');
  await loadModule(erl, 2);
  await play(erl);
  const service = await cluster.gateway({ nodes: erl.name });
  const [node] = service.gateway.cluster.nodes;
  await until(() =>
    /speaks version 2 of the contract, this gateway speaks version 7/.test(node?.reason ?? ''),
  );
  assert.equal(service.gateway.cluster.inService, 0);
});

test('a node that does not read gets no more than a bounded backlog: further requests hear 503', async () => {
  const erl = await cluster.erl('ejabberd');
  await play(erl);
  const service = await cluster.gateway({ nodes: erl.name, max_body: '16 MB', max_receiving: '128 MB' });
  await inService(service);
  erl.freeze();
  const body = 'x'.repeat(16 * 1024 * 1024);
  const posts = Array.from({ length: 5 }, () => post(service, body));
  assert.equal((await Promise.race(posts)).status, 503);
  assert.ok(service.gateway.counters.refused.overload > 0);
  await erl.kill();
  await Promise.all(posts);
});

test('a gateway that stops ends held requests with 503 and tells their node', async () => {
  const erl = await cluster.erl('ejabberd');
  await play(erl);
  const service = await cluster.gateway({ nodes: erl.name });
  await inService(service);
  const held = post(service, request(erl.name));
  await next(erl);
  await service.stop();
  assert.equal((await held).status, 503);
  assert.equal(await next(erl, 'element(2, M)'), 'closed');
});

test('ids and serials beyond 15 and 13 bits come back from Erlang exactly', async () => {
  const erl = await cluster.erl('ejabberd');
  await play(erl);
  const service = await cluster.gateway({ nodes: erl.name, max_exchanges: 40_000 });
  await inService(service);
  const { gateway } = service;
  const client = {
    ip: '127.0.0.1',
    port: 1,
    secure: false,
    path: '/bosh',
    origin: '',
    userAgent: '',
  };
  const wronglyAnswered: number[] = [];
  const body = Buffer.from('x');
  const hold = () => gateway.request({ answer: (status) => wronglyAnswered.push(status) }, { body, client });
  for (let i = 0; i < 2 ** 15; i += 1) hold();
  // The slot on top is taken again and again, so its generation grows.
  for (let i = 0; i < 2 ** 13; i += 1) gateway.closed(hold());
  const answered = new Promise<string>((resolve) => {
    const answer = (_status: number, _headers: unknown, bytes: Buffer): void => resolve(bytes.toString());
    gateway.request({ answer }, { body, client });
  });
  const expected = 2 ** 15 + 2 * 2 ** 13;
  await erl.evaluate(`
    Skip = fun Skip(0) -> ok; Skip(N) ->
      mod_megaphone ! {next, self()}, receive {message, _} -> Skip(N - 1) end end,
    Skip(${expected})`);
  assert.match(await next(erl, 'C ! <<"the very last">>, pid_to_list(C)'), /^"<\d+\.32769\.8192>"$/);
  assert.equal(await answered, 'the very last');
  assert.deepEqual(wronglyAnswered, []);
});
