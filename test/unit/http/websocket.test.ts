/** WebSockets over real sockets, HTTP and HTTPS, with the client of the `ws` package, before a gateway that the test plays. */

import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test } from 'node:test';
import { WebSocket } from 'ws';
import { makeCertificate } from '../../../scripts/support/certificate.js';
import type { BoshServer } from '../../../src/http/bosh-server.js';
import type { BoshServerOptions } from '../../../src/http/bosh-server-options.js';
import { Counters } from '../../../src/observe/counters.js';
import { happens, until } from '../../support/until.js';
import { FakeSockets } from './fake-sockets.js';
import { close, framesIn, text, upgradeOf } from './frames.js';
import { listen, NO_BOSH } from './serve.js';

const folder = mkdtempSync(join(tmpdir(), 'megaphone-websocket-'));
const certificate = makeCertificate(folder, 'localhost');
const fronts: BoshServer[] = [];
after(async () => {
  await Promise.all(fronts.map((front) => front.close()));
  rmSync(folder, { recursive: true });
});

/** Grants each upgrade and sends each message back. */
class Echo extends FakeSockets {
  override onOpen = (socket: Parameters<FakeSockets['onOpen']>[0]): void => socket.accept();
  override onText = (socket: Parameters<FakeSockets['onText']>[0], message: Buffer): void =>
    socket.send(message, 0);
}

async function serve(options: Partial<BoshServerOptions> = {}, sockets: FakeSockets = new Echo()) {
  const counters = new Counters();
  const front = await listen(NO_BOSH, options, { sockets, counters });
  fronts.push(front);
  return { front, sockets, counters };
}

const { cert, key, pem } = certificate;
for (const [scheme, options] of [
  ['ws', {}],
  ['wss', { certificate: { cert, key } }],
] as const) {
  test(`${scheme}: a client of ws chats, pings and closes, and is told apart`, async () => {
    const { front, sockets } = await serve(options);
    const client = new WebSocket(`${scheme}://localhost:${front.port}/ws`, 'xmpp', {
      ca: pem,
      origin: 'https://chat.example',
      headers: { 'user-agent': 'a test' },
    });
    const heard: string[] = [];
    client.on('message', (data, isBinary) => heard.push(`${isBinary} ${data}`));
    await happens(client, 'open');
    assert.equal(client.protocol, 'xmpp');
    const texts = ['', 'a', 'ä'.repeat(100), 'x'.repeat(900)];
    for (const each of texts) client.send(each);
    await until(() => heard.length === texts.length);
    assert.deepEqual(
      heard,
      texts.map((each) => `false ${each}`),
    );
    client.ping('are you there');
    const [pong] = await happens(client, 'pong');
    assert.equal(`${pong}`, 'are you there');
    const { path, origin, userAgent, secure } = sockets.clients[0] ?? assert.fail();
    assert.deepEqual(
      [path, origin, userAgent, secure],
      ['/ws', 'https://chat.example', 'a test', scheme === 'wss'],
    );
    client.close(1001, 'bye');
    const [code] = await happens(client, 'close');
    assert.deepEqual([code, sockets.ends], [1001, [[1, 1001]]]);
    await until(() => front.connections === 0);
  });

  test(`${scheme}: the gateway closes: all that was sent before is read`, async () => {
    const { front, sockets } = await serve(options);
    sockets.onText = (socket) => {
      for (let i = 0; i < 100; i += 1) socket.send(Buffer.from('x'.repeat(1000)), 0);
      socket.close(1008, Buffer.from('enough'));
    };
    const client = new WebSocket(`${scheme}://localhost:${front.port}/ws`, 'xmpp', { ca: pem });
    await happens(client, 'open');
    let count = 0;
    client.on('message', () => {
      count += 1;
    });
    client.send('go');
    const [code, reason] = await happens(client, 'close');
    assert.deepEqual([count, code, `${reason}`, sockets.ends], [100, 1008, 'enough', []]);
    await until(() => front.connections === 0);
  });

  test(`${scheme}: a proof that the client has read goes at once behind 16 KB, and else within a second`, async () => {
    const { front, sockets } = await serve(options);
    const client = new WebSocket(`${scheme}://localhost:${front.port}/ws`, 'xmpp', { ca: pem });
    await happens(client, 'open');
    const [socket] = sockets.sockets;
    socket?.send(Buffer.from('a'), 1);
    socket?.send(Buffer.from('b'), 2);
    await until(() => sockets.proven.length > 0);
    assert.deepEqual(sockets.proven, [2]);
    socket?.send(Buffer.alloc(16_384, 'x'), 3);
    await until(() => sockets.proven.length > 1);
    assert.deepEqual(sockets.proven, [2, 3]);
    // What is less is told by the Pong alone.
    assert.deepEqual(sockets.taken, [3]);
    client.terminate();
    await until(() => sockets.ends.length === 1);
    assert.deepEqual(sockets.ends, [[1, 1006]]);
  });
}

/** A client of bare bytes. */
class Raw {
  readonly socket: Socket;
  #received: Buffer = Buffer.alloc(0);

  constructor(port: number, bytes: Buffer | string) {
    this.socket = connect(port, '127.0.0.1');
    this.socket.on('error', () => {});
    this.socket.on('data', (data) => {
      this.#received = Buffer.concat([this.#received, data]);
    });
    this.socket.write(bytes);
  }

  get head(): string {
    return this.#received.toString('latin1').split('\r\n\r\n')[0] ?? '';
  }

  get frames() {
    return framesIn(this.#received.subarray(this.head.length + 4));
  }

  async closed(): Promise<string> {
    if (!this.socket.destroyed) await happens(this.socket, 'close');
    return this.#received.toString('latin1');
  }
}

test('cut behind every byte of the request and of frames, nothing stays, and the gateway hears it', async () => {
  const { front, sockets } = await serve();
  const bytes = Buffer.concat([Buffer.from(upgradeOf()), text('hello'), text('ä'.repeat(100)), close(1000)]);
  for (let end = 1; end <= bytes.length; end += 1) {
    const before = sockets.sockets.length;
    const client = new Raw(front.port, bytes.subarray(0, end));
    await happens(client.socket, 'connect');
    const isAsked = end >= upgradeOf().length;
    await until(() => sockets.sockets.length === before + (isAsked ? 1 : 0));
    client.socket.resetAndDestroy();
    await client.closed();
    await until(() => front.connections === 0);
    assert.equal(sockets.ends.length, sockets.sockets.length);
    assert.equal(front.receiving, 0);
  }
});

test('byte by byte, and all in one, the same is heard', async () => {
  const { front, sockets } = await serve();
  const bytes = Buffer.concat([Buffer.from(upgradeOf()), text('hello'), text('ä'.repeat(100)), close(1000)]);
  const [slow, fast] = [new Raw(front.port, ''), new Raw(front.port, bytes)];
  slow.socket.setNoDelay();
  for (const byte of bytes) {
    slow.socket.write(Buffer.of(byte));
    await new Promise(setImmediate);
  }
  for (const client of [slow, fast]) {
    assert.match(await client.closed(), /^HTTP\/1\.1 101 /);
    assert.deepEqual(
      client.frames.map(({ opcode }) => opcode),
      [1, 1, 8],
    );
  }
  assert.deepEqual(sockets.texts.sort(), ['hello', 'hello', 'ä'.repeat(100), 'ä'.repeat(100)]);
});
