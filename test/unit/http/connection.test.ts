/** One connection of the HTTP front over real sockets, before a service that answers when the test says so. */

import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { after, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ClientInfo } from '../../../src/gateway/meta.js';
import type { HttpExchange, HttpRequest } from '../../../src/gateway/ports.js';
import type { BoshServer } from '../../../src/http/bosh-server.js';
import { happens, until } from '../../support/until.js';
import { listen } from './serve.js';

const OPTIONS = {
  trustedProxies: ['127.0.0.1'],
  maxBody: 100_000,
  maxConnections: 100,
  // Nobody's time is over here, however busy the machine: times are connection-phases.test.ts' matter.
  headerTimeout: 3600,
  requestTimeout: 3600,
  keepAliveTimeout: 3600,
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

  release(): void {}

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
      await Promise.race([happens(this.socket, 'end'), happens(this.socket, 'close')]);
    return this.received;
  }
}

const fronts: BoshServer[] = [];
after(() => Promise.all(fronts.map((front) => front.close())));

async function serve() {
  const held = new Held();
  const front = await listen(held, OPTIONS);
  fronts.push(front);
  return { held, front, port: front.port };
}

const post = (body: string, ...headers: string[]): string =>
  [`POST /bosh HTTP/1.1`, 'Host: x', `Content-Length: ${body.length}`, ...headers, '', body].join('\r\n');

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

test('100 Continue comes behind the answer that it waits for, and the body behind that is taken', async () => {
  const { held, port } = await serve();
  for (const [index, length] of ['Content-Length: 5', 'Transfer-Encoding: chunked'].entries()) {
    const head = `POST /bosh HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\n${length}\r\n\r\n`;
    const client = new Client(port, post('a') + head);
    await until(() => held.exchanges.length === 2 * index + 1);
    held.answer(2 * index, '~a');
    await until(() => /^HTTP\/1\.1 200 [^~]*~aHTTP\/1\.1 100 Continue\r\n\r\n$/.test(client.received));
    client.socket.write(index === 0 ? 'hello' : '5\r\nhello\r\n0\r\n\r\n');
    await until(() => held.exchanges.length === 2 * index + 2);
    assert.equal(held.bodies.at(-1), 'hello');
    client.socket.destroy();
  }
});

test('a body that is too large and has no end costs its connection', async () => {
  const { held, port } = await serve();
  const head = 'POST /bosh HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n';
  const client = new Client(port, head);
  const more = setInterval(() => client.socket.write('x'.repeat(100_000)), 1);
  const received = await client.ended();
  clearInterval(more);
  assert.match(received, /^HTTP\/1\.1 413 /);
  assert.deepEqual(held.bodies, []);
  client.socket.destroy();
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
  await assert.rejects(happens(connect(port, '127.0.0.1'), 'connect'), { code: 'ECONNREFUSED' });
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
