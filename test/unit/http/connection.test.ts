/** One connection of the HTTP front over real sockets, before a service that answers when the test says so. */

import assert from 'node:assert/strict';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { pino } from 'pino';
import type { ClientInfo } from '../../../src/gateway/meta.js';
import type { HttpExchange, HttpRequest } from '../../../src/gateway/ports.js';
import { BoshServer, type BoshServerOptions } from '../../../src/http/bosh-server.js';
import { Counters } from '../../../src/observe/counters.js';

const OPTIONS: BoshServerOptions = {
  ip: '127.0.0.1',
  port: 0,
  corsOrigins: ['*'],
  trustedProxies: ['127.0.0.1'],
  maxBody: 100_000,
  maxReceiving: 1_000_000,
  maxConnections: 100,
  headerTimeout: 10,
  requestTimeout: 30,
  keepAliveTimeout: 75,
  certificate: undefined,
};

/** A gateway of exchanges that stay open until the test answers them. */
class Held {
  readonly bodies: string[] = [];
  readonly clients: ClientInfo[] = [];
  readonly exchanges: HttpExchange[] = [];
  readonly gone: number[] = [];

  request(exchange: HttpExchange, { body, client }: HttpRequest): number {
    this.bodies.push(body.toString('latin1'));
    this.clients.push(client);
    return this.exchanges.push(exchange);
  }

  closed(handle: number): void {
    this.gone.push(handle);
  }

  answer(index: number, body: string | Buffer): void {
    this.exchanges[index]?.answer(200, [], Buffer.from(body));
  }
}

class Client {
  readonly socket: Socket;
  received = '';

  constructor(port: number, text = '') {
    this.socket = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    this.socket.setEncoding('latin1').on('data', (data) => {
      this.received += data;
    });
    this.socket.on('error', () => {});
    this.socket.write(text, 'latin1');
  }

  /** The answers' bodies, each of which these tests begin with a tilde. */
  get answers(): string[] {
    return [...this.received.matchAll(/~[a-z0-9]/g)].map(([body]) => body);
  }

  async ended(): Promise<string> {
    if (!this.socket.readableEnded && !this.socket.destroyed)
      await Promise.race([once(this.socket, 'end'), once(this.socket, 'close')]);
    return this.received;
  }
}

/** No 4xx, which would end a BOSH session. */
const TIMED_OUT = /^HTTP\/1\.1 503 .*\r\nretry-after: 2\r\n.*took too long/s;

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await sleep(2);
}

const fronts: BoshServer[] = [];
after(() => Promise.all(fronts.map((front) => front.close())));

async function serve(options: Partial<BoshServerOptions> = {}) {
  const held = new Held();
  const counters = new Counters();
  const front = await BoshServer.listen(
    held,
    { ...OPTIONS, ...options },
    counters,
    pino({ level: 'silent' }),
  );
  fronts.push(front);
  return { held, counters, front, port: front.port };
}

const post = (body: string, ...headers: string[]): string =>
  [`POST /bosh HTTP/1.1`, 'Host: x', `Content-Length: ${body.length}`, ...headers, '', body].join('\r\n');

test('answers go out in the order of the requests, whatever the order they come in', async () => {
  const { held, port } = await serve();
  const client = new Client(port, post('a') + post('b') + post('c'));
  await until(() => held.bodies.length === 3);
  held.answer(2, '~c');
  held.answer(1, '~b');
  client.socket.write('GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n');
  held.answer(0, '~a');
  await until(() => /Nothing is here/.test(client.received));
  assert.deepEqual(client.answers, ['~a', '~b', '~c']);
  assert.ok(client.received.indexOf('~c') < client.received.indexOf('HTTP/1.1 404'));
  client.socket.destroy();
});

test('a connection serves one request after the other, however they are cut', async () => {
  const { held, port } = await serve();
  const client = new Client(port);
  for (let i = 0; i < 3; i += 1) {
    for (const byte of post(`body ${i}`)) {
      client.socket.write(byte);
      if (byte === '\n') await sleep(1);
    }
    await until(() => held.exchanges.length === i + 1);
    held.answer(i, `~${i}`);
    await until(() => client.answers.length === i + 1);
  }
  assert.deepEqual(held.bodies, ['body 0', 'body 1', 'body 2']);
  client.socket.destroy();
});

test('Connection: close ends it behind the answer, and what comes behind the request is not read', async () => {
  const { held, port } = await serve();
  const client = new Client(port, post('a', 'Connection: close') + post('b'));
  await until(() => held.exchanges.length === 1);
  held.answer(0, '~a');
  const received = await client.ended();
  assert.match(received, /\r\nconnection: close\r\n/);
  assert.deepEqual(client.answers, ['~a']);
  assert.deepEqual(held.bodies, ['a']);
  client.socket.destroy();
});

test('an HTTP/1.0 client is closed behind its answer, or goes on where it asks for that', async () => {
  const { held, port } = await serve();
  const old = new Client(port, 'POST /bosh HTTP/1.0\r\nContent-Length: 1\r\n\r\na');
  await until(() => held.exchanges.length === 1);
  held.answer(0, '~a');
  assert.match(await old.ended(), /connection: close/);
  const going = new Client(
    port,
    'POST /bosh HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nb',
  );
  await until(() => held.exchanges.length === 2);
  held.answer(1, '~b');
  await until(() => going.answers.length === 1);
  assert.match(going.received, /connection: keep-alive/);
  going.socket.write('POST /bosh HTTP/1.0\r\nContent-Length: 1\r\n\r\nc');
  await until(() => held.exchanges.length === 3);
  old.socket.destroy();
  going.socket.destroy();
});

test('a client that closes its half while its request is held counts as gone', async () => {
  const { held, port, front } = await serve();
  const client = new Client(port, post('a') + post('b'));
  await until(() => held.exchanges.length === 2);
  client.socket.end();
  await until(() => held.gone.length === 2);
  assert.deepEqual(held.gone, [1, 2]);
  // An answer that comes too late harms nobody.
  held.answer(0, '~a');
  await until(() => front.connections === 0);
});

test('malformed bytes end the connection behind the answers to what came before', async () => {
  const { held, port } = await serve();
  const client = new Client(port, `${post('a')}POST /bosh HTTP/1.1\nHost: x\n\n${post('b')}`);
  await until(() => held.exchanges.length === 1);
  held.answer(0, '~a');
  const received = await client.ended();
  assert.match(received, /^HTTP\/1\.1 200 .*~aHTTP\/1\.1 400 .*connection: close/s);
  assert.deepEqual(held.bodies, ['a']);
  client.socket.destroy();
});

for (const [status, text] of [
  [400, 'POST /bosh HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'],
  [417, 'POST /bosh HTTP/1.1\r\nHost: x\r\nExpect: wonders\r\n\r\n'],
  [431, `GET /bosh HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(20_000)}`],
  [501, 'POST /bosh HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'],
  [505, 'GET /bosh HTTP/2.0\r\nHost: x\r\n\r\n'],
] as const) {
  test(`${status} says why, allows pages to see it, and closes: ${JSON.stringify(text.slice(0, 60))}`, async () => {
    const { port } = await serve();
    const client = new Client(port, text);
    const received = await client.ended();
    assert.match(received, new RegExp(`^HTTP/1\\.1 ${status} \\w`));
    assert.match(received, /\r\naccess-control-allow-origin: \*\r\n/);
    assert.match(received, /\r\ncontent-length: [1-9]/);
    client.socket.destroy();
  });
}

/** What a browser says about a request: the header lines, and whether its answer is for a script. */
const SAID: readonly (readonly [headers: readonly string[], isForScript: boolean])[] = [
  [[], true],
  [['Sec-Fetch-Mode: cors', 'Sec-Fetch-Dest: empty', 'Sec-Fetch-Site: cross-site'], true],
  [['sec-fetch-mode: same-origin', 'sec-fetch-dest: empty'], true],
  [['Sec-Fetch-Mode: no-cors', 'Sec-Fetch-Dest: empty'], true],
  [['Sec-Fetch-User: ?1', 'Sec-Fetch-Sure: x'], true],
  [['Sec-Fetch-Mode:', 'Sec-Fetch-Dest: '], true],
  [['Sec-Fetch-Mode: navigate', 'Sec-Fetch-Dest: document'], false],
  [['Sec-Fetch-Mode: navigate'], false],
  [['Sec-Fetch-Mode: nested-navigate'], false],
  [['Sec-Fetch-Mode: websocket', 'Sec-Fetch-Dest: websocket'], false],
  [['Sec-Fetch-Mode: cors', 'Sec-Fetch-Mode: navigate'], false],
  ...['document', 'iframe', 'frame', 'embed', 'object', 'fencedframe'].map(
    (dest) => [[`Sec-Fetch-Dest: ${dest}`], false] as const,
  ),
];

for (const [headers, isForScript] of SAID) {
  test(`a request is ${isForScript ? 'taken' : 'refused'} with ${JSON.stringify(headers)}`, async () => {
    const { held, counters, port } = await serve();
    const client = new Client(port, post('a', ...headers));
    if (isForScript) {
      await until(() => held.bodies.length === 1);
    } else {
      await until(() => /\n$/.test(client.received));
      assert.match(client.received, /^HTTP\/1\.1 403 .*\r\ncontent-type: text\/plain/s);
      assert.deepEqual(held.bodies, []);
    }
    assert.equal(counters.refused.navigation, isForScript ? 0 : 1);
    // A page may be looked at.
    const page = new Client(port, ['GET /bosh HTTP/1.1', 'Host: x', ...headers, '', ''].join('\r\n'));
    await until(() => /^HTTP\/1\.1 200 /.test(page.received));
    for (const { socket } of [client, page]) socket.destroy();
  });
}

test('nothing of an answer runs in a browser, whichever answer it is', async () => {
  const { held, port } = await serve({ maxBody: 10 });
  const rest = 'HTTP/1.1\r\nHost: x\r\n';
  const texts = [
    post('~a'),
    post('a', 'Sec-Fetch-Mode: navigate'),
    post('more than ten'),
    `GET /bosh ${rest}\r\n`,
    `HEAD /bosh ${rest}\r\n`,
    `OPTIONS /bosh ${rest}\r\n`,
    `PUT /bosh ${rest}\r\n`,
    `POST /nothing ${rest}\r\n`,
    'POST /bosh HTTP/1.1\n',
    `POST /bosh ${rest}Transfer-Encoding: gzip\r\n\r\n`,
  ];
  const clients = texts.map((text) => new Client(port, text));
  await until(() => held.exchanges.length === 1);
  // What ejabberd's side says, too, can only add to it.
  held.exchanges[0]?.answer(
    200,
    [
      ['x-content-type-options', 'none'],
      ['Content-Security-Policy', 'img-src *'],
    ],
    Buffer.from('~a'),
  );
  for (const client of clients) {
    await until(() => client.received.includes('\r\n\r\n'));
    const lines = client.received.split('\r\n');
    assert.equal(
      lines.find((line) => /^x-content-type-options:/i.test(line)),
      'x-content-type-options: nosniff',
    );
    assert.ok(lines.includes('content-security-policy: sandbox'), client.received);
    client.socket.destroy();
  }
});

test('a body that nobody wants is not invited, and the connection closed: it may come or not', async () => {
  const { port } = await serve();
  const head = 'HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n';
  for (const [method, status] of [
    ['POST /nothing', 404],
    ['PUT /bosh', 405],
  ] as const) {
    const client = new Client(port, `${method} ${head}`);
    const received = await client.ended();
    assert.match(received, new RegExp(`^HTTP/1\\.1 ${status} .*connection: close`, 's'));
    client.socket.destroy();
  }
});

test('such a refusal waits behind a request that is held, as long as that takes', async () => {
  const { held, port } = await serve({ headerTimeout: 1, requestTimeout: 1 });
  const refused = 'POST /nothing HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n';
  const client = new Client(port, post('a') + refused);
  await until(() => held.exchanges.length === 1);
  // Begins later, so its time is over later.
  assert.match(await new Client(port, 'POST').ended(), TIMED_OUT);
  held.answer(0, '~a');
  assert.match(await client.ended(), /~aHTTP\/1\.1 404 .*connection: close/s);
  client.socket.destroy();
});

test('100 Continue is sent where it can only mean this request', async () => {
  const { held, port } = await serve();
  const head = 'POST /bosh HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n';
  const client = new Client(port, head);
  await until(() => /^HTTP\/1\.1 100 Continue\r\n\r\n$/.test(client.received));
  client.socket.write(`hello${head}`);
  await until(() => held.exchanges.length === 1);
  client.socket.write('world');
  await until(() => held.exchanges.length === 2);
  held.answer(1, '~b');
  held.answer(0, '~a');
  await until(() => client.answers.length === 2);
  assert.equal(client.received.match(/100 Continue/g)?.length, 1);
  client.socket.destroy();
});

test('an empty line behind a request does not begin another one, nor does it count as one', async () => {
  const { held, port } = await serve({ headerTimeout: 1, requestTimeout: 1, keepAliveTimeout: 3 });
  const client = new Client(port, `${post('a')}\r\n`);
  await until(() => held.exchanges.length === 1);
  held.answer(0, '~a');
  client.socket.write('\r\n');
  // Cut as an idle connection: there is no answer.
  assert.match(await client.ended(), /~a$/);
  client.socket.destroy();
});

test('a body that is too large and does not end is cut behind its one answer', async () => {
  const { port } = await serve({ headerTimeout: 1, requestTimeout: 1, maxBody: 10 });
  const client = new Client(port, post('12345678901').slice(0, -1));
  const received = await client.ended();
  assert.match(received, /^HTTP\/1\.1 413 /);
  assert.equal(received.match(/HTTP\/1\.1/g)?.length, 1);
  client.socket.destroy();
});

test('a HEAD request and a 204 have no body, and the next answer follows', async () => {
  const { port } = await serve();
  const rest = 'HTTP/1.1\r\nHost: x\r\n';
  const client = new Client(
    port,
    `HEAD /bosh ${rest}\r\nOPTIONS /bosh ${rest}\r\nGET /bosh ${rest}Connection: close\r\n\r\n`,
  );
  const received = await client.ended();
  assert.match(
    received,
    /^HTTP\/1\.1 200 OK\r\n.*\r\ncontent-length: \d+\r\n\r\nHTTP\/1\.1 204 No Content\r\n/s,
  );
  assert.doesNotMatch(
    received.slice(received.indexOf('204'), received.lastIndexOf('HTTP/1.1')),
    /content-length/,
  );
  assert.match(received, /\r\ndate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/);
  assert.match(received, /web chat clients.*\n$/is);
  client.socket.destroy();
});

test("the client's address, page and program are told, and a trusted proxy is believed", async () => {
  const { held, port } = await serve();
  const client = new Client(
    port,
    post(
      'a',
      'X-Forwarded-For: 192.0.2.9',
      'X-Forwarded-Proto: https',
      'Origin: https://a.example',
      `User-Agent: ${'u'.repeat(600)}`,
    ),
  );
  await until(() => held.clients.length === 1);
  assert.deepEqual(held.clients[0], {
    ip: '192.0.2.9',
    port: 0,
    secure: true,
    path: '/bosh',
    origin: 'https://a.example',
    userAgent: 'u'.repeat(512),
  });
  client.socket.destroy();
});

test('a client that never reads its answers is cut after a time, and what it asks meanwhile is not read', async () => {
  const { held, port, front } = await serve({ requestTimeout: 1, headerTimeout: 1 });
  const answer = Buffer.alloc(32 * 1024 * 1024, 'x');
  const still = new Client(port, post('a'));
  const asking = new Client(port, post('b'));
  for (const client of [still, asking]) client.socket.pause();
  await until(() => held.exchanges.length === 2);
  for (const index of [0, 1]) held.answer(index, answer);
  asking.socket.write(post('c'));
  await until(() => front.connections === 0);
  assert.equal(held.bodies.length, 2);
  for (const client of [still, asking]) client.socket.destroy();
});

test('a client that reads a large answer in time goes on', async () => {
  const { held, port } = await serve();
  const client = new Client(port, post('a'));
  await until(() => held.exchanges.length === 1);
  held.answer(0, Buffer.alloc(8 * 1024 * 1024, 'x'));
  await until(() => client.received.length > 8 * 1024 * 1024);
  client.socket.write(post('b'));
  await until(() => held.exchanges.length === 2);
  client.socket.destroy();
});

test('a connection that was opened ahead has the time of an idle one until its first byte', async () => {
  const { held, port } = await serve({ headerTimeout: 1, keepAliveTimeout: 75 });
  const ahead = new Client(port);
  await once(ahead.socket, 'connect');
  // Comes later, so its time for a head is over later.
  assert.match(await new Client(port, 'POST').ended(), TIMED_OUT);
  ahead.socket.write(post('a'));
  await until(() => held.exchanges.length === 1);
  held.answer(0, '~a');
  await until(() => ahead.answers.length === 1);
  ahead.socket.destroy();
});

test('at the maximum, those that were never used make room, the oldest first', async () => {
  const { held, counters, port, front } = await serve({ maxConnections: 3, headerTimeout: 1 });
  const clients = [new Client(port, post('a'))];
  await until(() => held.exchanges.length === 1);
  for (const count of [2, 3]) {
    clients.push(new Client(port));
    await until(() => front.connections === count);
  }
  // They may be about to be used, and are not any more when another's time for a head is over.
  assert.match(await new Client(port, post('x')).ended(), /^HTTP\/1\.1 503 /);
  assert.match(await new Client(port, 'POST').ended(), TIMED_OUT);
  const late = new Client(port, post('b'));
  await until(() => held.exchanges.length === 2);
  assert.equal(await clients[1]?.ended(), '');
  clients[2]?.socket.write(post('c'));
  await until(() => held.exchanges.length === 3);
  // Now all are in use.
  assert.match(await new Client(port, post('d')).ended(), /^HTTP\/1\.1 503 /);
  assert.equal(counters.refused.overload, 2);
  for (const { socket } of [...clients, late]) socket.destroy();
});

test('closing answers what is held, ends what is idle, and takes nothing new', async () => {
  const { held, port, front } = await serve();
  const idle = new Client(port);
  const holding = new Client(port, post('a'));
  await until(() => held.exchanges.length === 1 && front.connections === 2);
  const closed = front.close();
  held.answer(0, '~a');
  assert.match(await holding.ended(), /connection: close.*~a$/s);
  assert.equal(await idle.ended(), '');
  for (const client of [idle, holding]) client.socket.end();
  await closed;
  const late = connect(port, '127.0.0.1');
  const [error] = (await once(late, 'error')) as [NodeJS.ErrnoException];
  assert.equal(error.code, 'ECONNREFUSED');
});

test('closing says so in an answer that waits behind a held one', async () => {
  const { held, port, front } = await serve();
  const client = new Client(port, `${post('a')}OPTIONS /bosh HTTP/1.1\r\nHost: x\r\n\r\n`);
  // It was read when a third request is.
  client.socket.write(post('b'));
  await until(() => held.exchanges.length === 2);
  held.answer(1, '~b');
  const closed = front.close();
  held.answer(0, '~a');
  const answers = (await client.ended()).split(/(?=HTTP\/1\.1 \d)/);
  assert.deepEqual(
    answers.map((answer) => /\r\nconnection: ([a-z-]+)\r\n/.exec(answer)?.[1]),
    ['keep-alive', 'keep-alive', 'close'],
  );
  client.socket.end();
  await closed;
});

test('a held request is answered, though one behind it that is too large does not come to its end', async () => {
  const { held, port } = await serve({ headerTimeout: 1, requestTimeout: 1, maxBody: 10 });
  const client = new Client(port, post('a') + post('12345678901').slice(0, -1));
  await until(() => held.exchanges.length === 1);
  // Begins later, so its time is over later.
  assert.match(await new Client(port, 'POST').ended(), TIMED_OUT);
  assert.deepEqual(held.gone, []);
  held.answer(0, '~a');
  assert.match(await client.ended(), /~aHTTP\/1\.1 413 .*\r\nconnection: close\r\n/s);
  client.socket.destroy();
});

test('at the maximum, idle connections and unfinished requests make room, held ones never', async () => {
  const { held, port, front } = await serve({ maxConnections: 3, headerTimeout: 30 });
  const holding = new Client(port, post('a'));
  await until(() => held.exchanges.length === 1);
  const drip = new Client(port, post('1234567').slice(0, -1));
  await until(() => front.receiving > 0);
  const idle = new Client(port, 'GET /bosh HTTP/1.1\r\nHost: x\r\n\r\n');
  await until(() => /BOSH endpoint/.test(idle.received));
  // Each step is that of the front's clock: one that comes too early hears 503, and comes again.
  for (const [index, gone] of [drip, idle].entries()) {
    while (held.exchanges.length < index + 2) {
      const comes = new Client(port, post('b'));
      while (held.exchanges.length < index + 2 && comes.received === '') await sleep(20);
    }
    await gone.ended();
  }
  assert.doesNotMatch(drip.received, /HTTP/);
  // Nobody is left to make room.
  assert.match(await new Client(port, post('c')).ended(), /^HTTP\/1\.1 503 /);
  held.answer(0, '~a');
  await until(() => holding.answers.length === 1);
});
