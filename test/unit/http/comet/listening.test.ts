/** Pages over real sockets, with real clients: what they are told, in which order, and what stays of them. */

import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { EventSource, request } from 'undici';
import { WebSocket } from 'ws';
import type { Page } from '../../../../src/comet/ports.js';
import type { BoshServer } from '../../../../src/http/bosh-server.js';
import type { BoshServerOptions } from '../../../../src/http/bosh-server-options.js';
import { Counters } from '../../../../src/observe/counters.js';
import { textFrame } from '../../../../src/websocket/writer.js';
import { happens, until } from '../../../support/until.js';
import { listen, NO_BOSH } from '../serve.js';
import { admitting, FakeComet } from './fake-comet.js';

const fronts: BoshServer[] = [];
after(() => Promise.all(fronts.map((front) => front.close())));

async function serve(comet = admitting(), options: Partial<BoshServerOptions> = {}) {
  const counters = new Counters();
  const endpoint = { service: comet, admission: comet, maxIds: 3, maxUnread: 64 * 1024 };
  const front = await listen(NO_BOSH, options, { counters, comet: endpoint });
  fronts.push(front);
  const url = `http://127.0.0.1:${front.port}/comet`;
  return { front, comet, counters, url };
}

async function pageOf(comet: FakeComet, index = 0): Promise<Page> {
  await until(() => comet.pages.length > index);
  return comet.pages[index] ?? assert.fail();
}

const event = (id: string, data: string): Buffer => Buffer.from(`id: ${id}\ndata: ${data}\n\n`);

test('an EventSource: it hears events, is sent on, and comes back with its place', async () => {
  const { front, comet, url } = await serve();
  const source = new EventSource(`${url}/1,2`);
  const heard: string[] = [];
  source.addEventListener('message', ({ data }) => heard.push(data));
  (await pageOf(comet)).write(event('a.1', 'hello'));
  await until(() => heard.length === 1);
  // It is its turn to go elsewhere, and there is nowhere else.
  void front.release();
  const page = await pageOf(comet, 1);
  front.keep();
  page.write(event('a.2', 'again'));
  await until(() => heard.length === 2);
  source.close();
  assert.deepEqual(heard, ['hello', 'again']);
  assert.deepEqual(comet.places, [undefined, 'a.1']);
  assert.deepEqual(comet.ids, [
    ['1', '2'],
    ['1', '2'],
  ]);
  await until(() => comet.gone.length === 2 && front.connections === 0);
  assert.deepEqual(comet.left_, [1, 2]);
});

test('a plain stream: chunks, until it is to go elsewhere', async () => {
  const { front, comet, url } = await serve();
  const response = await fetch(`${url}/1`, { headers: { 'last-event-id': 'a.1' } });
  assert.equal(response.headers.get('content-type'), 'text/plain; charset=utf-8');
  const text = response.text();
  const page = await pageOf(comet);
  assert.equal(page.form, 'chunked');
  page.write(Buffer.from('5\r\nhello\r\n'));
  await front.release();
  assert.equal(await text, 'hello');
  // It has no places.
  assert.deepEqual(comet.places, [undefined]);
});

test('polls: on one connection, one after the other, and in order with what else is asked there', async () => {
  const { front, comet, url } = await serve();
  const socket = connect(front.port, '127.0.0.1');
  const get = (target: string): string => `GET ${target} HTTP/1.1\r\nHost: x\r\n\r\n`;
  let heard = '';
  socket.setEncoding('latin1').on('data', (data) => {
    heard += data;
  });
  socket.write(get('/comet/1?poll&last-event-id=p') + get('/bosh'));
  (await pageOf(comet)).write(Buffer.from('{"id":"q"}'));
  await until(() => heard.includes('This is a BOSH endpoint'));
  assert.match(
    heard,
    /^HTTP\/1\.1 200 OK\r\n[^~]*content-type: application\/json[^~]*\r\n\r\n\[{"id":"q"}\]HTTP\/1\.1 200 OK/,
  );
  assert.deepEqual([comet.places, comet.gone], [['p'], [0]]);
  socket.write(get('/comet/1?poll'));
  await pageOf(comet, 1);
  await front.release();
  await until(() => heard.endsWith('\r\n\r\n[]'));
  assert.match(heard, /\r\nconnection: close\r\n[^~]*\[\]$/);
  await until(() => socket.closed);
  assert.equal((await fetch(`${url}/1?poll`, { method: 'HEAD' })).status, 200);
});

test('a WebSocket: frames of text, no subprotocol, 1012 when it is to go elsewhere', async () => {
  const { front, comet, url } = await serve(admitting(), { seeOtherUri: 'wss://b.example/ws' });
  const socket = new WebSocket(`${url.replace('http', 'ws')}/1?last-event-id=p`);
  const heard: string[] = [];
  socket.on('message', (data) => heard.push(String(data)));
  await happens(socket, 'open');
  const page = await pageOf(comet);
  assert.deepEqual([page.form, comet.places], ['socket', ['p']]);
  page.write(textFrame(Buffer.from('{"id":"q"}')));
  socket.send('what a page says is passed over');
  await until(() => heard.length === 1);
  void front.release();
  const [code] = await happens(socket, 'close');
  assert.deepEqual([code, heard, socket.protocol], [1012, ['{"id":"q"}'], '']);
  assert.deepEqual([comet.gone, comet.left_], [[0], [1]]);
});

for (const [what, line, headers, status] of [
  ['POST', 'POST /comet/1', ['Content-Length: 0'], 405],
  ['no id', 'GET /comet/', [], 400],
  ['a bad id', 'GET /comet/%ff', [], 400],
  ['too many ids', 'GET /comet/1,2,3,4', [], 400],
  ['a body', 'GET /comet/1', ['Content-Length: 2', '', 'hi'], 400],
  ['a foreign page', 'GET /comet/1', ['Origin: https://evil.example'], 403],
  ['a WebSocket of HEAD', 'HEAD /comet/1', ['Upgrade: websocket', 'Connection: Upgrade'], 426],
  [
    'a WebSocket without a key',
    'GET /comet/1',
    ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Version: 13'],
    400,
  ],
  ['half a WebSocket', 'GET /comet/1', ['Upgrade: websocket'], 400],
  ['OPTIONS', 'OPTIONS /comet/1', ['Origin: https://app.example'], 204],
] as const) {
  test(`${what}: ${status}`, async () => {
    const { front, comet } = await serve(admitting(), { corsOrigins: ['https://app.example'] });
    const socket = connect(front.port, '127.0.0.1');
    const rest = headers.includes('' as never) ? headers : [...headers, '', ''];
    socket.write([`${line} HTTP/1.1`, 'Host: chat.example', ...rest].join('\r\n'));
    const [data] = await happens(socket, 'data');
    assert.match(String(data), new RegExp(`^HTTP/1.1 ${status} `));
    if (status === 204)
      assert.match(String(data), /credentials: true\r\n[^~]*allow-headers: Authorization, Last-Event-ID/);
    socket.destroy();
    assert.equal(comet.asked.length, 0);
  });
}

test('too many requests, or connections, of an address: an EventSource hears when to come back', async () => {
  const ask = async (url: string, accept: string) => {
    const { statusCode: status, body } = await request(`${url}/1`, { headers: { accept } });
    return [status, await body.text()];
  };
  const rate = { maxRequestsPerAddress: { burst: 1, perSecond: 0.001 } };
  const often = await serve(admitting(), rate);
  assert.equal((await fetch(`${often.url}/`)).status, 400);
  const [status, text] = await ask(often.url, 'text/event-stream');
  assert.match(`${status} ${text}`, /^200 : 429 Too many requests [^~]*\nretry: \d+\n\n$/);
  assert.equal((await ask(often.url, '*/*'))[0], 429);
  const many = await serve(admitting(), { maxConnectionsPerAddress: 1 });
  const source = new EventSource(`${many.url}/1`);
  await pageOf(many.comet);
  assert.match(`${await ask(many.url, 'text/event-stream')}`, /^200,: 429 Too many connections/);
  assert.equal(many.counters.refused.connections_of_address, 1);
  source.close();
});

test('where comet is off, nothing is there', async () => {
  const front = await listen(NO_BOSH);
  fronts.push(front);
  assert.equal((await fetch(`http://127.0.0.1:${front.port}/comet/1`)).status, 404);
});

/** What clients send, and how far they come with it. */
const REQUESTS = {
  sse: 'GET /comet/1 HTTP/1.1\r\nHost: x\r\nAccept: text/event-stream\r\n\r\n',
  poll: 'GET /comet/1?poll HTTP/1.1\r\nHost: x\r\n\r\n',
  websocket:
    'GET /comet/1 HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n',
};

for (const [what, asking] of Object.entries(REQUESTS)) {
  test(`${what}: a client that goes at any byte, or at any time, leaves nothing`, async () => {
    const { front, comet, counters } = await serve();
    const clients: Socket[] = [];
    for (let bytes = 1; bytes <= asking.length; bytes += 1) {
      const socket = connect(front.port, '127.0.0.1').on('error', () => {});
      clients.push(socket);
      socket.write(asking.slice(0, bytes), () => socket.resetAndDestroy());
    }
    await until(() => counters.opened === asking.length && front.connections === 0);
    const slow = await serve(new FakeComet());
    const early = connect(slow.front.port, '127.0.0.1');
    early.write(asking);
    await until(() => slow.comet.asked.length === 1);
    early.destroy();
    await until(() => slow.front.connections === 0);
    // The answer comes too late.
    slow.comet.visitors[0]?.admit(['1'], 10);
    assert.deepEqual([slow.comet.pages, slow.comet.left_], [[], [1]]);
    await until(() => comet.gone.length === comet.pages.length);
    assert.equal(comet.left_.length, comet.asked.length);
  });
}

test('a page that does not read is cut, at comet_max_unread', async () => {
  for (const asking of [REQUESTS.sse, REQUESTS.websocket]) {
    const { front, comet, counters } = await serve();
    const socket = connect(front.port, '127.0.0.1').on('error', () => {});
    socket.pause();
    socket.write(asking);
    const page = await pageOf(comet);
    const bytes = Buffer.alloc(16 * 1024, 'x');
    let written = 0;
    while (comet.gone.length === 0 && written < 256 * 1024 ** 2) {
      page.write(bytes);
      written += bytes.length;
      if (written % (1024 * 1024) === 0) await new Promise(setImmediate);
    }
    assert.equal(counters.comet.slow_readers, 1);
    socket.destroy();
    await until(() => front.connections === 0);
  }
});

test('who may listen for a while only is ended then, over whatever', async () => {
  const { comet, url } = await serve(admitting(0));
  const stream = await fetch(`${url}/1`);
  assert.equal(await stream.text(), '');
  const socket = new WebSocket(`${url.replace('http', 'ws')}/1`);
  const [code] = await happens(socket, 'close');
  assert.equal(code, 1008);
  assert.equal((await fetch(`${url}/1?poll`)).status, 204);
  assert.deepEqual(comet.left_, [1, 2, 3]);
});
