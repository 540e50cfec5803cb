/** Requests on the paths of WebSockets, and who asks where those are, over real sockets. */

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, test } from 'node:test';
import type { BoshServer } from '../../../src/http/bosh-server.js';
import type { BoshServerOptions } from '../../../src/http/bosh-server-options.js';
import { Counters } from '../../../src/observe/counters.js';
import { happens, until } from '../../support/until.js';
import { FakeSockets } from './fake-sockets.js';
import { upgradeOf } from './frames.js';
import { Machine, POST } from './machine.js';
import { listen, NO_BOSH } from './serve.js';

const fronts: BoshServer[] = [];
after(() => Promise.all(fronts.map((front) => front.close())));

async function serve(options: Partial<BoshServerOptions> = {}) {
  const counters = new Counters();
  const sockets = new FakeSockets();
  sockets.onOpen = (socket) => socket.accept();
  const front = await listen(NO_BOSH, { trustedProxies: ['127.0.0.1'], ...options }, { counters, sockets });
  fronts.push(front);
  return { front, sockets, counters };
}

/** All that is answered until the end. */
async function ask(front: BoshServer, text: string): Promise<string> {
  const socket = connect(front.port, '127.0.0.1');
  let answer = '';
  socket.setEncoding('latin1').on('data', (data) => {
    answer += data;
  });
  socket.write(text);
  await happens(socket, 'close');
  return answer;
}

const request = (line: string, ...headers: string[]): string =>
  [`${line} HTTP/1.1`, 'Host: chat.example:8080', 'Connection: close', ...headers, '', ''].join('\r\n');

for (const [what, text, status, reason] of [
  ['a page opened in a browser', request('GET /ws'), 426, 'upgrade'],
  ['HEAD', request('HEAD /ws'), 426, 'upgrade'],
  ['POST', request('POST /ws', 'Content-Length: 0'), 405, 'method'],
  ['no key', upgradeOf().replace(/Sec-WebSocket-Key.*\r\n/, ''), 400, 'upgrade'],
  ['another version', upgradeOf().replace('Version: 13', 'Version: 8'), 426, 'upgrade'],
  ['no subprotocol', upgradeOf().replace('xmpp', 'chat'), 400, 'upgrade'],
  ['a foreign page', upgradeOf('/ws', 'Origin: https://evil.example'), 403, 'origin'],
  ['a body', `${upgradeOf('/ws', 'Content-Length: 2')}hi`, 400, 'upgrade'],
  ['a body announced', upgradeOf('/ws', 'Content-Length: 2', 'Expect: 100-continue'), 400, 'upgrade'],
  ['a body in chunks', `${upgradeOf('/ws', 'Transfer-Encoding: chunked')}0\r\n\r\n`, 400, 'upgrade'],
] as const) {
  test(`no WebSocket is opened for ${what}: ${status}`, async () => {
    const { front, sockets, counters } = await serve({ corsOrigins: ['https://chat.example'] });
    const answer = await ask(front, text);
    assert.match(answer, new RegExp(`^HTTP/1\\.1 ${status} [^~]*\r\nconnection: close\r\n`));
    if (status === 426) {
      assert.match(answer, /\r\nupgrade: websocket\r\n[^~]*\r\nsec-websocket-version: 13\r\n/);
    }
    assert.deepEqual([sockets.sockets.length, counters.refused[reason]], [0, 1]);
  });
}

for (const [what, origins, ...headers] of [
  ['no origin', ['https://chat.example']],
  ['one that is named', ['https://chat.example'], 'Origin: https://chat.example'],
  ['any', ['*'], 'Origin: https://evil.example', 'Sec-Fetch-Mode: websocket', 'Sec-Fetch-Dest: websocket'],
] as const) {
  test(`an upgrade with ${what} is asked for`, async () => {
    const { front, sockets } = await serve({ corsOrigins: [...origins] });
    const socket = connect(front.port, '127.0.0.1');
    socket.write(upgradeOf('/ws?x=1', ...headers));
    const [answer] = (await happens(socket, 'data')) as [Buffer];
    assert.match(
      answer.toString(),
      /^HTTP\/1\.1 101 .*\r\nsec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=\r\n/s,
    );
    assert.doesNotMatch(answer.toString(), /content-length/i);
    assert.equal(sockets.clients[0]?.path, '/ws');
    socket.destroy();
  });
}

test('behind a request whose answer is due, a WebSocket is refused, and that is the last answer', () => {
  const machine = new Machine();
  machine.send(POST + upgradeOf() + POST);
  machine.turn();
  machine.turn();
  machine.answerAll();
  assert.deepEqual([machine.phase, machine.statuses, machine.bodies.length], ['ended', [200, 400], 1]);
  assert.deepEqual(machine.sockets.sockets, []);
  // Where that answer is written, it is none that is due.
  const read = new Machine();
  read.send(POST);
  read.answer();
  read.send(upgradeOf());
  assert.deepEqual([read.phase, read.sockets.sockets.length], ['closed', 1]);
});

test('the gateway refuses: its answer is the last one, without headers that it must not set', async () => {
  const { front, sockets } = await serve();
  sockets.onOpen = (socket) =>
    socket.refuse(
      503,
      [
        ['retry-after', '3'],
        ['upgrade', 'x'],
        ['content-length', '99'],
      ],
      Buffer.from('no'),
    );
  const answer = await ask(front, upgradeOf('/ws', 'Origin: https://a.example'));
  assert.match(answer, /^HTTP\/1\.1 503 [^~]*\r\nretry-after: 3\r\n[^~]*\r\n\r\nno$/);
  assert.match(answer, /\r\nconnection: close\r\n/);
  assert.match(answer, /\r\naccess-control-allow-origin: \*\r\n/);
  assert.doesNotMatch(answer, /upgrade|content-length: 99/);
  assert.deepEqual(sockets.ends, []);
  await until(() => front.connections === 0);
});

test('beyond max_connections it hears 503, as any request does', async () => {
  const { front, counters } = await serve({ maxConnections: 1 });
  const first = connect(front.port, '127.0.0.1');
  first.write(upgradeOf());
  await happens(first, 'data');
  assert.match(await ask(front, upgradeOf()), /^HTTP\/1\.1 503 /);
  assert.equal(counters.refused.overload, 1);
  first.destroy();
});

test('without paths there are none', async () => {
  const { front } = await serve({ webSocketPaths: [] });
  assert.match(await ask(front, upgradeOf()), /^HTTP\/1\.1 404 /);
  const meta = await ask(front, request('GET /.well-known/host-meta.json'));
  assert.doesNotMatch(meta, /websocket/);
});

const XBOSH = 'urn:xmpp:alt-connections:xbosh';
const WEBSOCKET = 'urn:xmpp:alt-connections:websocket';
for (const [what, options, headers, bosh, webSocket] of [
  ['by what the client calls it', {}, [], 'http://chat.example:8080/bosh', 'ws://chat.example:8080/ws'],
  [
    'behind a proxy with TLS',
    {},
    ['X-Forwarded-Proto: https'],
    'https://chat.example:8080/bosh',
    'wss://chat.example:8080/ws',
  ],
  [
    'by public_url',
    { publicUrl: 'https://a.example/x&y', webSocketPaths: ['/socket', '/ws'] },
    [],
    'https://a.example/x&y/bosh',
    'wss://a.example/x&y/socket',
  ],
] as const) {
  test(`host-meta names both endpoints, to pages of any origin: ${what}`, async () => {
    const { front } = await serve({ corsOrigins: ['https://chat.example'], ...options });
    const json = await ask(
      front,
      request('GET /.well-known/host-meta.json', 'Origin: https://b.example', ...headers),
    );
    assert.match(json, /^HTTP\/1\.1 200 [^~]*\r\ncontent-type: application\/json\r\n/);
    assert.equal(json.match(/access-control-allow-origin: \*\r\n/g)?.length, 1);
    assert.deepEqual(JSON.parse(json.split('\r\n\r\n')[1] ?? ''), {
      links: [
        { rel: XBOSH, href: bosh },
        { rel: WEBSOCKET, href: webSocket },
      ],
    });
    const xml = await ask(front, request('GET /.well-known/host-meta', ...headers));
    assert.match(xml, /\r\ncontent-type: application\/xrd\+xml/);
    const links = [...xml.matchAll(/<Link rel='([^']*)' href='([^']*)'\/>/g)].map(([, rel, href]) => [
      rel,
      href?.replaceAll('&amp;', '&'),
    ]);
    assert.deepEqual(links, [
      [XBOSH, bosh],
      [WEBSOCKET, webSocket],
    ]);
    const head = await ask(front, request('HEAD /.well-known/host-meta', ...headers));
    assert.deepEqual(head.split('\r\n\r\n')[1], '');
    assert.equal(/content-length: \d+/.exec(head)?.[0], /content-length: \d+/.exec(xml)?.[0]);
    const preflight = await ask(front, request('OPTIONS /.well-known/host-meta'));
    assert.match(preflight, /^HTTP\/1\.1 204 [^~]*access-control-allow-origin: \*/);
    assert.match(
      await ask(front, request('PUT /.well-known/host-meta', 'Content-Length: 0')),
      /^HTTP\/1\.1 405 /,
    );
  });
}

test('a Host that is no name is in no page', async () => {
  const { front } = await serve();
  for (const host of ["a'/><x", 'a/b', 'a b', '', 'a:b', '[::1', 'a\\b', 'user@a']) {
    const answer = await ask(front, request('GET /.well-known/host-meta').replace('chat.example:8080', host));
    assert.match(answer, /^HTTP\/1\.1 404 /, host);
  }
  for (const host of ['[::1]:8080', '127.0.0.1', 'xn--bcher-kva.example']) {
    const answer = await ask(front, request('GET /.well-known/host-meta').replace('chat.example:8080', host));
    assert.ok(answer.includes(`'ws://${host}/ws'`), host);
  }
});
