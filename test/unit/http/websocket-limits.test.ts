/** What a WebSocket can cost, over real sockets: clients that do not read, that flood, that never finish, or vanish. */

import assert from 'node:assert/strict';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { after, test } from 'node:test';
import type { BoshServer } from '../../../src/http/bosh-server.js';
import type { BoshServerOptions } from '../../../src/http/bosh-server-options.js';
import { MAX_PONGS, MAX_UNREAD } from '../../../src/http/outflow.js';
import { Counters } from '../../../src/observe/counters.js';
import { happens, until } from '../../support/until.js';
import { FakeSockets } from './fake-sockets.js';
import { frame, framesIn, ping, TEXT, text, upgradeOf } from './frames.js';
import { listen, NO_BOSH } from './serve.js';

const fronts: BoshServer[] = [];
const servers: Server[] = [];
after(async () => {
  for (const server of servers) server.close();
  await Promise.all(fronts.map((front) => front.close()));
});

/** The test accepts the connections, to look at what waits in them. */
async function serve(options: Partial<BoshServerOptions> = {}) {
  const counters = new Counters();
  const sockets = new FakeSockets();
  sockets.onOpen = (socket) => socket.accept();
  const front = await listen(NO_BOSH, { port: undefined, ...options }, { counters, sockets });
  fronts.push(front);
  const accepted: Socket[] = [];
  const server = createServer({ noDelay: true }, (socket) => {
    accepted.push(socket);
    front.serve(socket);
  });
  servers.push(server);
  server.listen(0, '127.0.0.1');
  await happens(server, 'listening');
  const { port } = server.address() as AddressInfo;
  return { front, sockets, counters, accepted, port };
}

class Client {
  readonly socket: Socket;
  #received: Buffer = Buffer.alloc(0);

  constructor(port: number) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('error', () => {});
    this.socket.on('data', (data) => {
      this.#received = Buffer.concat([this.#received, data]);
    });
    this.socket.write(upgradeOf());
  }

  async opened(): Promise<this> {
    await until(() => this.#received.includes('\r\n\r\n'));
    return this;
  }

  get frames() {
    return framesIn(this.#received.subarray(this.#received.indexOf('\r\n\r\n') + 4));
  }

  get closeCode(): number | undefined {
    return this.frames.find(({ opcode }) => opcode === 8)?.payload.readUInt16BE(0);
  }
}

test('a client that does not read is cut when more than 1 MB waits for it, and not before', async () => {
  const { sockets, counters, accepted, port, front } = await serve();
  const client = await new Client(port).opened();
  client.socket.pause();
  const [socket] = sockets.sockets;
  const size = 100_000;
  let most = 0;
  let sent = 0;
  while (sockets.ends.length === 0) {
    assert.equal(counters.websocket.slow_readers, 0);
    most = Math.max(most, accepted[0]?.writableLength ?? 0);
    socket?.send(Buffer.alloc(size, 'x'), 0);
    sent += size;
    await new Promise(setImmediate);
  }
  assert.ok(most > MAX_UNREAD && most <= MAX_UNREAD + size + 10, `${most} of ${sent}`);
  assert.deepEqual([sockets.ends, counters.websocket.slow_readers], [[[1, 1006]], 1]);
  client.socket.destroy();
  await until(() => front.connections === 0);
});

test('one that pings and does not read is cut with few Pongs waiting', async () => {
  const { sockets, counters, accepted, port } = await serve();
  const client = await new Client(port).opened();
  client.socket.pause();
  // First the buffers of the system are filled.
  while (accepted[0]?.writableLength === 0) {
    sockets.sockets[0]?.send(Buffer.alloc(100_000, 'x'), 0);
    await new Promise(setImmediate);
  }
  const before = accepted[0]?.writableLength ?? 0;
  let most = 0;
  const many = Buffer.concat(Array.from({ length: 1000 }, () => ping('x')));
  while (sockets.ends.length === 0) {
    client.socket.write(many);
    await new Promise(setImmediate);
    most = Math.max(most, accepted[0]?.writableLength ?? 0);
  }
  assert.ok(most <= before + 3 * MAX_PONGS, `${most - before}`);
  assert.equal(counters.websocket.slow_readers, 1);
  client.socket.destroy();
});

test('one that pings as fast as it can and reads gets a Pong for each, in order, and others are not held up', async () => {
  const { sockets, port } = await serve();
  const client = await new Client(port).opened();
  const other = await new Client(port).opened();
  const count = 20_000;
  client.socket.write(Buffer.concat(Array.from({ length: count }, (_, i) => ping(`${i}`))));
  other.socket.write(text('hello'));
  await until(() => sockets.texts.length > 0);
  await until(() => client.frames.length === count);
  assert.ok(client.frames.every(({ opcode, payload }, i) => opcode === 10 && `${payload}` === `${i}`));
  client.socket.destroy();
  other.socket.destroy();
});

test('a flood of small messages is read a few at a time: a message of another comes in between', async () => {
  const { sockets, port } = await serve();
  const client = await new Client(port).opened();
  const other = await new Client(port).opened();
  const order: string[] = [];
  sockets.onText = (_, message) => {
    if (order.length === 0) other.socket.write(text('other'));
    order.push(message.toString());
  };
  client.socket.write(Buffer.concat(Array.from({ length: 6000 }, () => text('x'))));
  await until(() => order.length === 6001);
  assert.ok(order.indexOf('other') < 6000, `${order.indexOf('other')}`);
  client.socket.destroy();
  other.socket.destroy();
});

test('empty fragments without an end are read a few at a time, and end it with 1008', async () => {
  const { sockets, port } = await serve();
  const client = await new Client(port).opened();
  client.socket.write(Buffer.concat([frame(TEXT, '', 0), ...Array<Buffer>(5000).fill(frame(0, '', 0))]));
  await until(() => client.closeCode === 1008);
  assert.deepEqual(sockets.ends, [[1, 1008]]);
  client.socket.destroy();
});

test('messages that never come to their end take no more than the limit, and the oldest ends with 1013', async () => {
  const maxReceiving = 300_000;
  const { front, sockets, port } = await serve({ maxReceiving, maxBody: 100_000 });
  const clients: Client[] = [];
  let most = 0;
  for (let i = 0; i < 10; i += 1) {
    const client = await new Client(port).opened();
    clients.push(client);
    const before = front.receiving;
    client.socket.write(frame(TEXT, 'x'.repeat(40_000), 0));
    await until(() => front.receiving !== before || sockets.ends.length > 0);
    most = Math.max(most, front.receiving);
  }
  await until(() => sockets.ends.length > 0);
  await until(() => clients[0]?.closeCode === 1013);
  assert.deepEqual(sockets.ends[0], [1, 1013]);
  assert.ok(most <= maxReceiving, `${most}`);
  // One that comes as a whole is not concerned.
  const whole = await new Client(port).opened();
  whole.socket.write(text('whole'));
  await until(() => sockets.texts.includes('whole'));
  for (const { socket } of [...clients, whole]) socket.destroy();
  await until(() => front.connections === 0);
  assert.equal(front.receiving, 0);
});

test('one whose bytes nobody takes vanishes: nothing stays, and nothing runs on', async () => {
  const { front, sockets, accepted, port } = await serve();
  for (const end of ['destroy', 'resetAndDestroy'] as const) {
    const client = await new Client(port).opened();
    client.socket.pause();
    const socket = sockets.sockets.at(-1);
    const [wire] = accepted.slice(-1);
    while (wire?.writableLength === 0) {
      socket?.send(Buffer.alloc(100_000, 'x'), 1);
      await new Promise(setImmediate);
    }
    client.socket[end]();
    await until(() => front.connections === 0);
    assert.deepEqual(sockets.ends.at(-1), [sockets.sockets.length, 1006]);
  }
});

test('the gateway takes no more: the client is not read, and what it sent comes in order when it does', async () => {
  const { front, sockets, port, accepted } = await serve({ maxBody: 10_000 });
  const client = await new Client(port).opened();
  sockets.takesMore = false;
  const sent = Array.from({ length: 2000 }, (_, i) => `${i} ${'x'.repeat(5000)}`);
  client.socket.write(Buffer.concat(sent.map(text)));
  await until(
    () => sockets.texts.length === 1 && (client.socket.writableLength > 0 || accepted[0] === undefined),
  );
  assert.ok(front.receiving <= 64 * 1024);
  assert.equal(sockets.texts.length, 1);
  sockets.takesMore = true;
  sockets.sockets[0]?.resume();
  await until(() => sockets.texts.length === sent.length);
  assert.deepEqual(sockets.texts, sent);
  client.socket.destroy();
});
