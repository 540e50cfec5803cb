/** Who may listen: by tokens, or by what a process on a real Erlang node says. */

import assert from 'node:assert/strict';
import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { type JWTPayload, SignJWT } from 'jose';
import { WebSocket } from 'ws';
import type { Erl } from '../../../scripts/support/erl.js';
import { root } from '../../../scripts/support/root.js';
import type { Service } from '../../../src/service/service.js';
import { happens, until } from '../../support/until.js';
import { Cluster, next, play } from '../gateway/support.js';
import { Curl, eventSource, urlOf, webSocket } from './pages.js';

let cluster: Cluster;
let directory: string;
before(async () => {
  cluster = await Cluster.start();
  directory = mkdtempSync(join(tmpdir(), 'megaphone-comet-'));
});
after(async () => {
  await cluster.stop();
  rmSync(directory, { recursive: true, force: true });
});

const SECRET = 'a secret that only the two of us know';
const pair = generateKeyPairSync('ed25519');
const PEM = String(pair.publicKey.export({ type: 'spki', format: 'pem' }));

/** How each kind of key signs. */
const KEYS = {
  HS256: { file: `${SECRET}\n`, key: Buffer.from(SECRET), other: Buffer.from(`${SECRET}!`) },
  EdDSA: { file: PEM, key: pair.privateKey, other: generateKeyPairSync('ed25519').privateKey },
} as const;
type Algorithm = keyof typeof KEYS;

const sign = (
  claims: JWTPayload,
  algorithm: Algorithm,
  key: (typeof KEYS)[Algorithm]['key' | 'other'] = KEYS[algorithm].key,
): Promise<string> => new SignJWT(claims).setProtectedHeader({ alg: algorithm }).sign(key);

const inAnHour = (): number => Math.floor(Date.now() / 1000) + 3600;

function keyFile(name: string, text: string): string {
  const file = join(directory, name);
  writeFileSync(file, text, { mode: 0o600 });
  return file;
}

const gatewayWith = (algorithm: Algorithm): Promise<Service> =>
  cluster.gateway({
    nodes: [],
    comet_key_file: keyFile(algorithm, KEYS[algorithm].file),
    cors_origins: '*, https://app.example',
  });

/** Whether it may: HEAD asks no more than that. */
async function status(
  service: Service,
  ids: string,
  token = '',
  headers: Record<string, string> = {},
): Promise<number> {
  const query = token === '' ? '' : `?token=${token}`;
  return (await fetch(urlOf(service, ids) + query, { method: 'HEAD', headers })).status;
}

for (const algorithm of ['HS256', 'EdDSA'] as const) {
  test(`tokens that are signed with ${algorithm}`, async () => {
    const service = await gatewayWith(algorithm);
    const other = algorithm === 'HS256' ? 'EdDSA' : 'HS256';
    const exp = inAnHour();
    const good = { ids: ['1', 2, 'a,b'], exp };
    const unsigned = `${Buffer.from('{"alg":"none"}').toString('base64url')}.${Buffer.from(JSON.stringify(good)).toString('base64url')}.`;
    for (const [what, ids, token, expected] of [
      ['a list', '1,2,a%2Cb', await sign(good, algorithm), 200],
      ['any', '3', await sign({ ids: ['*'], exp }, algorithm), 200],
      ['the subject', '3', await sign({ sub: '3', exp }, algorithm), 200],
      ['none', '1', '', 401],
      ['no token', '1', 'a.b.c', 401],
      ['not signed', '1', unsigned, 401],
      ['another key', '1', await sign(good, algorithm, KEYS[algorithm].other), 401],
      ['another algorithm', '1', await sign(good, other), 401],
      // Anybody knows the public key.
      ['the public key as a secret', '1', await sign(good, 'HS256', Buffer.from(PEM)), 401],
      ['without an end', '1', await sign({ ids: ['1'] }, algorithm), 401],
      ['over', '1', await sign({ ids: ['1'], exp: exp - 7200 }, algorithm), 401],
      ['not yet', '1', await sign({ ...good, nbf: exp }, algorithm), 401],
      ['one id too many', '1,3', await sign(good, algorithm), 403],
      ['another subject', '1', await sign({ sub: '3', exp }, algorithm), 403],
      ['a subject that is no pattern', '1', await sign({ sub: '*', exp }, algorithm), 403],
      ['a list that is none', '*', await sign({ ids: '*', sub: '*', exp }, algorithm), 403],
      ['nobody', '1', await sign({ exp }, algorithm), 403],
    ] as const) {
      assert.equal(await status(service, ids, token), expected, what);
    }
    assert.equal(service.gateway.counters.refused.not_admitted, 14);
  });
}

test('where the token is: in the query, in a header, in a cookie that counts', async () => {
  const service = await gatewayWith('EdDSA');
  const token = await sign({ sub: '1', exp: inAnHour() }, 'EdDSA');
  const cookie = `a=b; megaphone_token=${token}`;
  assert.equal(await status(service, '1', '', { authorization: `Bearer ${token}` }), 200);
  assert.equal(await status(service, '1', '', { cookie }), 200);
  assert.equal(await status(service, '1', '', { cookie, origin: 'https://app.example' }), 200);
  // Any page may listen here, and none may do so as its visitor.
  assert.equal(await status(service, '1', '', { cookie, origin: 'https://evil.example' }), 401);
  assert.equal(await status(service, '1', '', { cookie, 'sec-fetch-site': 'cross-site' }), 401);
  const page = await eventSource(`${urlOf(service, '1')}?token=${token}`);
  page.close();
  const socket = await webSocket(`${urlOf(service, '1')}?token=${token}`);
  socket.close();
});

test('a token that ends, ends what it opened, in a way that clients take for an end', async () => {
  const service = await gatewayWith('HS256');
  // On a busy machine a token may end before it was shown.
  for (const seconds of [3, 10, 30]) {
    const token = await sign({ sub: '1', exp: Math.floor(Date.now() / 1000) + seconds }, 'HS256');
    const url = `${urlOf(service, '1')}?token=${token}`;
    const socket = new WebSocket(url.replace('http', 'ws')).on('error', () => {});
    const closed = happens(socket, 'close');
    const stream = new Curl(url);
    const ended = [await stream.ended(), /\d{3}/.exec(stream.output)?.[0], (await closed)[0]];
    if (ended.includes('401') || ended.includes(1006)) continue;
    assert.deepEqual(ended, [0, '200', 1008]);
    return;
  }
  assert.fail('no token lasted until it was shown');
});

test('the key is read again; one that cannot be used leaves the old one', async () => {
  const service = await gatewayWith('HS256');
  const file = join(directory, 'HS256');
  const token = await sign({ sub: '1', exp: inAnHour() }, 'HS256');
  for (const useless of ['short', PEM.replace('PUBLIC', 'PRIVATE'), '-----BEGIN NONSENSE-----']) {
    writeFileSync(file, useless);
    service.reload();
    assert.equal(await status(service, '1', token), 200, useless);
  }
  writeFileSync(file, PEM);
  service.reload();
  assert.equal(await status(service, '1', token), 401);
  assert.equal(await status(service, '1', await sign({ sub: '1', exp: inAnHour() }, 'EdDSA')), 200);
});

for (const [what, text, mode, code] of [
  ['is not there', undefined, 0, 'CONFIG_COMET_KEY_UNREADABLE'],
  ['others may read', SECRET, 0o644, 'CONFIG_COMET_KEY_NOT_PRIVATE'],
  ['is too short', 'short', 0o600, 'CONFIG_COMET_KEY_INVALID'],
  [
    'has an RSA key',
    String(
      generateKeyPairSync('rsa', { modulusLength: 2048 }).publicKey.export({ type: 'spki', format: 'pem' }),
    ),
    0o644,
    'CONFIG_COMET_KEY_INVALID',
  ],
  [
    'has a private key',
    String(pair.privateKey.export({ type: 'pkcs8', format: 'pem' })),
    0o600,
    'CONFIG_COMET_KEY_INVALID',
  ],
] as const) {
  test(`a key file that ${what}: the gateway does not start`, async () => {
    const file = join(directory, 'unusable');
    rmSync(file, { force: true });
    if (text !== undefined) writeFileSync(file, text, { mode });
    await assert.rejects(cluster.gateway({ nodes: [], comet_key_file: file }), { code });
  });
}

/** What the doorkeeper was asked, and what it does with `C`, the ConnId. */
const asked = (erl: Erl, then: string): Promise<string> => next(erl, then, 'doorkeeper');
const WHO =
  '{_, open, Meta} = M, maps:with([<<"transport">>, <<"ids">>, <<"cookie">>, <<"authorization">>, <<"query">>], Meta)';

test('a process says who may listen', async () => {
  const erl = await cluster.erl('asked');
  await play(erl, 'doorkeeper');
  const service = await cluster.gateway({ nodes: [], comet_nodes: erl.name, comet_ask: 'doorkeeper' });
  await until(() => service.node.tellsEnds(erl.name) === true);
  const send = (id: number, text: string) =>
    erl.evaluate(`{any, '${service.node.name}'} ! {${id}, <<"${text}">>}`);

  const page = webSocket(`${urlOf(service, '1,2')}?who=me`);
  assert.equal(
    await asked(erl, `persistent_term:put(conn, C), C ! {C, listen, [7, 8]}, ${WHO}`),
    '#{<<"authorization">> => <<>>,<<"cookie">> => <<>>,<<"ids">> => [<<"1">>,<<"2">>],<<"query">> => <<"who=me">>,<<"transport">> => <<"comet">>}',
  );
  const { socket, data } = await page;
  await send(1, 'not this');
  await send(8, 'this');
  await until(() => data.length > 0);
  assert.deepEqual(data, ['this']);

  // What comes of no use is dropped: it listens already.
  await erl.evaluate('C = persistent_term:get(conn), C ! {C, listen, [1]}, C ! {C, 403, <<"no">>}');
  await until(() => service.gateway.counters.dropped.stale === 2);
  const closed = happens(socket, 'close');
  await erl.evaluate('C = persistent_term:get(conn), C ! {C, close, 4001, <<"enough">>}');
  const [code, reason] = await closed;
  assert.deepEqual([code, String(reason)], [4001, 'enough']);

  const refused = fetch(urlOf(service, '1'));
  await asked(erl, 'C ! {C, 403, [{<<"x-why">>, <<"mood">>}], <<"not you">>}');
  const response = await refused;
  assert.deepEqual(
    [response.status, response.headers.get('x-why'), await response.text()],
    [403, 'mood', 'not you'],
  );
});

test('a ConnId can be monitored as long as its page is there, over whatever it listens', async () => {
  const erl = await cluster.erl('watching');
  await play(erl, 'doorkeeper');
  const service = await cluster.gateway({ nodes: [], comet_nodes: erl.name, comet_ask: 'doorkeeper' });
  await until(() => service.node.tellsEnds(erl.name) === true);
  const GRANT = `
    Self = self(),
    spawn(fun() -> R = monitor(process, C), Self ! watching, receive {'DOWN', R, _, _, Why} -> doorkeeper ! {gone, Why} end end),
    receive watching -> ok end, C ! {C, listen, [1]}`;
  for (const args of [[], ['-H', 'Accept: text/event-stream']]) {
    const page = new Curl(urlOf(service, '1'), ...args);
    await asked(erl, GRANT);
    const { opened } = service.gateway.counters.comet;
    await until(() => (args.length > 0 ? opened.sse : opened.chunked) === 1);
    await page.kill();
    assert.equal(await next(erl, 'M', 'doorkeeper'), '{gone,normal}');
  }
  // One that leaves before it is answered.
  const abort = new AbortController();
  const poll = fetch(`${urlOf(service, '1')}?poll`, { signal: abort.signal }).catch(() => 'gone');
  await asked(erl, GRANT.replace('C ! {C, listen, [1]}', 'ok'));
  abort.abort();
  await poll;
  assert.equal(await next(erl, 'M', 'doorkeeper'), '{gone,normal}');
});

test('the process that docs/comet.md shows', async () => {
  const [, shown = ''] =
    /```\n(doorkeeper\(\) ->.*?)\n```/s.exec(readFileSync(join(root, 'docs/comet.md'), 'utf8')) ?? [];
  const modules = {
    doorman: `-export([doorkeeper/0]).\n${shown}`,
    my_sessions:
      '-export([user_of/1]).\nuser_of(<<"user=">>) -> error;\nuser_of(<<"user=", User/binary>>) -> {ok, User}.',
    my_rooms: '-export([of_these/2]).\nof_these(_, Asked) -> [Id || <<"room", _/binary>> = Id <- Asked].',
  };
  const erl = await cluster.erl('shown');
  for (const [name, text] of Object.entries(modules)) {
    writeFileSync(join(directory, `${name}.erl`), `-module(${name}).\n${text}\n`);
    await erl.evaluate(
      `{ok, _, B} = compile:file("${join(directory, name)}", [binary, report, warnings_as_errors]), code:load_binary(${name}, "", B)`,
    );
  }
  await erl.evaluate('register(doorkeeper, spawn(doorman, doorkeeper, []))');
  const service = await cluster.gateway({ nodes: [], comet_nodes: erl.name, comet_ask: 'doorkeeper' });
  await until(() => service.node.tellsEnds(erl.name) === true);
  const url = urlOf(service, 'room1,secret');
  const refused = await fetch(url, { headers: { cookie: 'user=' } });
  assert.deepEqual([refused.status, await refused.text()], [401, 'Log in first.\n']);
  assert.equal(refused.headers.get('content-type'), 'text/plain; charset=utf-8');
  const page = await webSocket(url, [], { cookie: 'user=alice' });
  for (const id of ['secret', 'room1', 'alice']) {
    await erl.evaluate(`{any, '${service.node.name}'} ! {${id}, <<"for ${id}">>}`);
  }
  await until(() => page.data.length === 2);
  assert.deepEqual(page.data, ['for room1', 'for alice']);
  page.close();
});

test('nobody there to ask, or not any more: 503 at once, and for an EventSource a while', async () => {
  const erl = await cluster.erl('leaving');
  const service = await cluster.gateway({ nodes: [], comet_nodes: erl.name, comet_ask: 'doorkeeper' });
  const url = urlOf(service, '1');
  assert.equal((await fetch(url)).status, 503);
  await until(() => service.node.tellsEnds(erl.name) === true);
  // It is not registered: that is known as soon as the node says so.
  await until(async () => (await fetch(url, { signal: AbortSignal.timeout(10_000) })).status === 503);
  const sse = await fetch(`${url}?sse`);
  assert.deepEqual(
    [sse.status, await sse.text()],
    [200, ': 503 Nobody is there to say who may listen.\nretry: 2000\n\n'],
  );
  await play(erl, 'doorkeeper');
  // It is looked for again.
  let answer = fetch(url);
  const wasAsked = next(erl, 'ok', 'doorkeeper');
  let isAsked = false;
  void wasAsked.then(() => {
    isAsked = true;
  });
  await until(async () => {
    if (isAsked) return true;
    const status = await Promise.race([answer.then(({ status: each }) => each), wasAsked.then(() => 0)]);
    if (status === 503) answer = fetch(url);
    return isAsked;
  });
  await erl.evaluate('exit(whereis(doorkeeper), kill)');
  assert.equal((await answer).status, 503);
});
