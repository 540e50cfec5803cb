/** Every form in which an Erlang process may answer a request, and what answers nothing. */

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, before, test } from 'node:test';
import type { Erl } from '../../../scripts/support/erl.js';
import type { Service } from '../../../src/service/service.js';
import { until } from '../../support/until.js';
import { BODY, Cluster, inService, next, play, post } from './support.js';

let cluster: Cluster;
let erl: Erl;
let service: Service;

before(async () => {
  cluster = await Cluster.start();
  erl = await cluster.erl('ejabberd');
  await play(erl);
  service = await cluster.gateway({ nodes: 'ejabberd@localhost' });
  await inService(service);
});
after(() => cluster.stop());

test('a peer that is not our module gets {ConnId, Body}, ConnId being a pid of the hidden node', async () => {
  const answered = post(service);
  assert.equal(
    await next(erl, '{tuple_size(M), element(2, M), is_pid(C), node(C), C ! <<"hello">>}'),
    `{2,<<"${BODY}">>,true,${service.node.name},<<"hello">>}`,
  );
  assert.equal(await (await answered).text(), 'hello');
});

for (const [form, status, text] of [
  ['{C, <<"hello">>}', 200, 'hello'],
  ['{C, 200, <<"hello">>}', 200, 'hello'],
  ['{C, 404, <<"gone">>}', 404, 'gone'],
  ['{C, 403, [], <<"no">>}', 403, 'no'],
  ['<<"hello">>', 200, 'hello'],
  ['"hello"', 200, 'hello'],
  ['{500, <<"oops">>}', 500, 'oops'],
  ['{C, ["a", [<<"b">>, $c], [] | <<"d">>]}', 200, 'abcd'],
  ['<<>>', 200, ''],
  ['[]', 200, ''],
] as const) {
  test(`C ! ${form}`, async () => {
    const answered = post(service);
    await next(erl, `C ! ${form}`);
    const response = await answered;
    assert.equal(response.status, status);
    assert.equal(response.headers.get('content-type'), 'text/xml; charset=utf-8');
    assert.equal(response.headers.get('content-length'), String(text.length));
    assert.equal(await response.text(), text);
  });
}

test('the name megaphone takes {ConnId, …} from any process of the cluster', async () => {
  const other = await cluster.erl('shell');
  const answered = post(service);
  const connId = await next(erl, 'base64:encode(term_to_binary(C))');
  await other.evaluate(`
    pong = net_adm:ping('${service.node.name}'),
    C = binary_to_term(base64:decode(${connId})),
    {megaphone, '${service.node.name}'} ! {C, 200, <<"from afar">>}`);
  assert.equal(await (await answered).text(), 'from afar');
});

test('headers of an answer replace the content type and are passed on', async () => {
  const answered = post(service);
  await next(erl, 'C ! {C, 200, [{<<"Content-Type">>, <<"text/html">>}, {"x-more", "yes"}], <<"hi">>}');
  const { headers } = await answered;
  assert.equal(headers.get('content-type'), 'text/html');
  assert.equal(headers.get('x-more'), 'yes');
});

test('headers that would inject others or break the framing are left out', async () => {
  const refused = service.gateway.counters.refusedHeaders;
  const answered = post(service);
  await next(
    erl,
    `C ! {C, 200, [{"x-bad", "a\\r\\nset-cookie: b"}, {"bad name", "x"}, {"Content-Length", "1"},
      {"Transfer-Encoding", "chunked"}, {"x-good", "c"}], <<"whole">>}`,
  );
  const response = await answered;
  assert.equal(await response.text(), 'whole');
  assert.deepEqual([response.headers.get('set-cookie'), response.headers.get('x-good')], [null, 'c']);
  assert.equal(service.gateway.counters.refusedHeaders, refused + 4);
});

test('the first answer counts; another one to the same ConnId is stale, also when its slot is taken again', async () => {
  const { dropped } = service.gateway.counters;
  const stale = dropped.stale;
  const first = post(service);
  await next(erl, 'persistent_term:put(old, C), C ! <<"first">>, C ! <<"second">>');
  assert.equal(await (await first).text(), 'first');
  const again = post(service);
  const isSameSlot = await next(
    erl,
    `Old = persistent_term:get(old), Old ! <<"late">>, Old ! {Old, 200, <<"late">>},
     {megaphone, '${service.node.name}'} ! {Old, <<"late">>}, C ! <<"right">>,
     {C =/= Old, lists:nth(1, string:split(pid_to_list(C), ".", trailing)) =:=
                 lists:nth(1, string:split(pid_to_list(Old), ".", trailing))}`,
  );
  assert.equal(isSameSlot, '{true,true}');
  assert.equal(await (await again).text(), 'right');
  await until(() => dropped.stale === stale + 4);
});

test('what is no answer is counted and dropped, and the exchange stays open', async () => {
  const { dropped } = service.gateway.counters;
  const unknown = dropped.unknown_shape;
  const answered = post(service);
  await next(
    erl,
    `[C ! Term || Term <- [hello, {C}, {C, 99, <<"x">>}, {C, 200, x}, #{}, {C, 200, <<"x">>, []}, [$a, 8364],
      {self(), 200, <<"x">>}, 1.0, make_ref()]],
     {megaphone, '${service.node.name}'} ! <<"for nobody">>,
     C ! <<"still here">>`,
  );
  assert.equal(await (await answered).text(), 'still here');
  await until(() => dropped.unknown_shape === unknown + 11);
});

test('a client that went away is told to the node, and its ConnId is stale', async () => {
  const { dropped } = service.gateway.counters;
  const stale = dropped.stale;
  const sid = 'abcdef.123';
  const abort = new AbortController();
  const given = post(service, `<body sid='${sid}'/>`, { signal: abort.signal }).catch(() => 'gone');
  await next(erl, 'persistent_term:put(old, C)');
  abort.abort();
  assert.equal(await given, 'gone');
  const told = await next(
    erl,
    '{C =:= persistent_term:get(old), element(2, M), element(3, M), C ! <<"late">>}',
  );
  assert.equal(told, `{true,closed,<<"${sid}">>,<<"late">>}`);
  await until(() => dropped.stale === stale + 1);
  assert.equal(service.gateway.openExchanges, 0);
});

test('a process that monitors a ConnId hears when the exchange is over', async () => {
  const answered = post(service);
  assert.equal(
    await next(
      erl,
      'Ref = monitor(process, C), C ! <<"bye">>, receive {_, Ref, process, C, Reason} -> {Reason, M =/= C} end',
    ),
    '{normal,true}',
  );
  await answered;
});

test('a body of 200 kB arrives whole, and a large answer too', async () => {
  const body = `<body>${'x'.repeat(200_000)}</body>`;
  const answered = post(service, body);
  const size = await next(erl, 'C ! binary:copy(<<"y">>, 3000000), byte_size(element(2, M))');
  assert.equal(size, String(body.length));
  assert.equal((await (await answered).text()).length, 3_000_000);
});

test('a client that does not read its answer is cut', async () => {
  const strict = await cluster.gateway({
    nodes: 'ejabberd@localhost',
    header_timeout: 1,
    request_timeout: 1,
  });
  await inService(strict);
  const client = connect(strict.bosh.port, '127.0.0.1').pause();
  client.write('POST /bosh HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx');
  await next(erl, 'C ! binary:copy(<<"y">>, 30000000), ok');
  await until(() => strict.gateway.counters.bytesOut === 30_000_000);
  assert.equal(strict.bosh.connections, 1);
  await until(() => strict.bosh.connections === 0);
  client.destroy();
});

test('an exchange that nobody answers ends with 504, is told as closed, and counted', async () => {
  const impatient = await cluster.gateway({ nodes: 'ejabberd@localhost', answer_timeout: 1 });
  await inService(impatient);
  const answered = post(impatient, "<body sid='abcdef.9'/>");
  await next(erl);
  assert.equal((await answered).status, 504);
  assert.equal(await next(erl, '{element(2, M), element(3, M)}'), '{closed,<<"abcdef.9">>}');
  assert.equal(impatient.gateway.counters.timeouts, 1);
});

test('a table that is full answers 503', async () => {
  const small = await cluster.gateway({ nodes: 'ejabberd@localhost', max_exchanges: 1 });
  await inService(small);
  const held = post(small);
  await next(erl, 'persistent_term:put(held, C)');
  const refused = await post(small);
  assert.equal(refused.status, 503);
  assert.equal(refused.headers.get('retry-after'), '2');
  await erl.evaluate('persistent_term:get(held) ! <<"ok">>');
  assert.equal((await held).status, 200);
});

test('gen_server:call to megaphone: stats, health, and what it does not know', async () => {
  const call = (request: string) =>
    erl.text(`gen_server:call({megaphone, '${service.node.name}'}, ${request})`);
  assert.match(await call('health'), /<<"status">> => <<"ok">>/);
  assert.match(await call('stats'), /<<"requests">> => \d+/);
  assert.equal(await call('nonsense'), '{error,unknown_request}');
  assert.equal(await call('{stats, 1}'), '{error,unknown_request}');
});
