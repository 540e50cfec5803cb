/** Clients that do not wait for answers: how much of what they send is read, counted at the server's end of real sockets. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { connect as connectTls } from 'node:tls';
import { makeCertificate } from '../../../scripts/support/certificate.js';
import type { HttpExchange } from '../../../src/gateway/ports.js';
import type { BoshServerOptions } from '../../../src/http/bosh-server-options.js';
import { REST_BYTES } from '../../../src/http/rest.js';
import { happens, until } from '../../support/until.js';
import { listen } from './serve.js';

const folder = mkdtempSync(join(tmpdir(), 'megaphone-pipelining-'));
after(() => rmSync(folder, { recursive: true }));

const REQUEST = 'POST /bosh HTTP/1.1\r\nHost:\r\nContent-Length: 1\r\n\r\nx';
const BURST = Math.floor(60_000 / REQUEST.length);

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** The turns of the event loop, in one of which `at` was called how often at most. */
class Turns {
  most = 0;
  #count = 0;

  at(): void {
    if (this.#count === 0) void turn().then(() => this.#end());
    this.#count += 1;
  }

  #end(): void {
    this.most = Math.max(this.most, this.#count);
    this.#count = 0;
  }
}

/** A front whose connections the test accepts, and a service that answers at once. */
async function serve(answer: Buffer, options: Partial<BoshServerOptions> = {}) {
  const turns = new Turns();
  const sockets: Socket[] = [];
  const seen = { requests: 0, unread: 0, turns, sockets };
  const service = {
    request(exchange: HttpExchange): number {
      seen.requests += 1;
      seen.unread = Math.max(seen.unread, ...sockets.map(({ writableLength }) => writableLength));
      turns.at();
      exchange.answer(200, [], answer);
      return 0;
    },
    closed(): void {},
    release(): void {},
  };
  const front = await listen(service, {
    port: undefined,
    maxBody: 100_000,
    maxReceiving: 10_000_000,
    maxConnections: 100,
    headerTimeout: 5,
    requestTimeout: 5,
    keepAliveTimeout: 5,
    ...options,
  });
  const server = createServer({ noDelay: true }, (socket) => {
    sockets.push(socket);
    front.serve(socket);
  });
  await happens(server.listen(0, '127.0.0.1'), 'listening');
  cleanups.push(
    () => front.close(),
    () => server.close(),
  );
  return { seen, front, port: (server.address() as AddressInfo).port };
}

function open(port: number, text: string): Socket {
  const socket = connect({ port, host: '127.0.0.1' });
  socket.on('error', () => {});
  socket.write(text, 'latin1');
  cleanups.push(() => socket.destroy());
  return socket;
}

test('a burst is read one request a turn, each when all answers before are out', async () => {
  const { seen, front, port } = await serve(Buffer.from('~'));
  const client = open(port, REQUEST.repeat(BURST));
  let answers = 0;
  client.on('data', (data: Buffer) => {
    answers += data.toString('latin1').split('HTTP/1.1 200').length - 1;
  });
  await until(() => answers === BURST);
  assert.deepEqual(
    { ...seen, turns: seen.turns.most, sockets: 1 },
    { requests: BURST, unread: 0, turns: 1, sockets: 1 },
  );
  assert.equal(front.receiving, 0);
  // It goes on as any other.
  client.write(REQUEST);
  await until(() => answers === BURST + 1);
});

test('of many that send bursts few requests are read in a turn, and none is forgotten', async () => {
  const { seen, port } = await serve(Buffer.from('~'));
  const clients = 90;
  for (let i = 0; i < clients; i += 1) open(port, REQUEST.repeat(50)).resume();
  await until(() => seen.requests === clients * 50);
  // 32 of those who wait, and the first request of those who have just come.
  assert.ok(seen.turns.most <= 32 + clients, `${seen.turns.most}`);
  assert.equal(seen.unread, 0);
});

test('a client that reads nothing is read no further than its answers go', async () => {
  const { seen, front, port } = await serve(Buffer.alloc(100_000, '~'), { requestTimeout: 1 });
  open(port, REQUEST.repeat(BURST)).pause();
  await until(() => front.receiving > 0);
  assert.equal(front.receiving, REST_BYTES);
  await until(() => front.connections === 0);
  // What is unread when a request is read is nothing; one answer, then, is all that ever waits here.
  assert.equal(seen.unread, 0);
  assert.ok(seen.requests < BURST, `${seen.requests}`);
  assert.equal(front.receiving, 0);
});

test('what waits to be read has the bound of what comes in: beyond it the oldest connections go', async () => {
  // No answer of this size goes out at once.
  const { seen, front, port } = await serve(Buffer.alloc(32 * 1024 * 1024, '~'), {
    maxReceiving: 3 * REST_BYTES,
  });
  for (let count = 1; count <= 5; count += 1) {
    open(port, REQUEST + REQUEST).pause();
    await until(() => seen.requests === count);
    await until(() => front.receiving === Math.min(3, count) * REST_BYTES);
  }
  await until(() => front.connections === 3);
  assert.deepEqual(
    seen.sockets.map(({ destroyed }) => destroyed),
    [true, true, false, false, false],
  );
});

test('over TLS too, however small the records are', async () => {
  const certificate = makeCertificate(folder, 'own');
  const { seen, front, port } = await serve(Buffer.from('~'), { certificate });
  const client = connectTls({ port, host: '127.0.0.1', servername: 'localhost', ca: certificate.pem });
  cleanups.push(() => client.destroy());
  await happens(client, 'secureConnect');
  let answers = 0;
  client.on('data', (data: Buffer) => {
    answers += data.toString('latin1').split('HTTP/1.1 200').length - 1;
  });
  for (let i = 0; i < 300; i += 1) client.write(REQUEST);
  client.write(REQUEST.repeat(300));
  await until(() => answers === 600);
  assert.equal(seen.turns.most, 1);
  assert.equal(front.receiving, 0);
});

for (const [line, goesOn] of [
  ['OPTIONS /bosh', true],
  ['GET /bosh', true],
  ['HEAD /bosh', true],
  ['GET /nothing', false],
  ['PUT /bosh', false],
  ['POST *', false],
  ['POST /bosh', true],
] as const) {
  test(`${line} ${goesOn ? 'leaves its connection open' : 'costs its connection'}`, async () => {
    const { port } = await serve(Buffer.from('~'));
    const client = open(port, `${line} HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n`.repeat(100));
    let received = '';
    client.setEncoding('latin1').on('data', (data) => {
      received += data;
    });
    const answers = (): number => received.split(/HTTP\/1\.1 \d/).length - 1;
    if (goesOn) {
      await until(() => answers() === 100);
      assert.doesNotMatch(received, /connection: close/);
    } else {
      await happens(client, 'end');
      assert.equal(answers(), 1);
      assert.match(received, /connection: close/);
    }
  });
}
