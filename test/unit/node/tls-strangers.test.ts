/** Strangers on a port with TLS cost no more than others, whatever they play with it. */
import assert from 'node:assert/strict';
import { connect as dial, type Socket } from 'node:net';
import { after, afterEach, before, describe, test } from 'node:test';
import { connect as dialTls } from 'node:tls';
import { Authority } from '../../../scripts/support/authority.js';
import { OUR_FLAGS } from '../../../src/distribution/flags.js';
import { encodeName } from '../../../src/distribution/handshake-messages.js';
import type { MegaphoneError } from '../../../src/errors.js';
import { Cookie } from '../../../src/node/cookie.js';
import { HiddenNode, type NodeOptions } from '../../../src/node/hidden-node.js';
import { TlsCredentials } from '../../../src/node/tls-credentials.js';
import { slowClock } from '../../support/slow-clock.js';
import { happens, until } from '../../support/until.js';

const cookie = new Cookie('xyzzy');
const CALLER = 'caller@localhost';
const CALLED = 'called@localhost';

let authority: Authority;
const nodes: HiddenNode[] = [];
const sockets: Socket[] = [];
before(() => {
  authority = new Authority();
});
after(() => authority.remove());
afterEach(async () => {
  for (const socket of sockets.splice(0)) socket.destroy();
  await Promise.all(nodes.splice(0).map((node) => node.stop()));
});

const credentials = (): TlsCredentials => new TlsCredentials(authority.issue());

async function start(name: string, options: Partial<NodeOptions> = {}): Promise<HiddenNode> {
  const node = await HiddenNode.start({ name, cookie, epmd: false, connectTimeoutMs: 2_000, ...options });
  nodes.push(node);
  return node;
}

describe('strangers on a port with TLS', { timeout: 300_000 }, () => {
  async function calling(port: number): Promise<Socket> {
    const socket = dial({ port, host: '127.0.0.1' });
    sockets.push(socket);
    socket.on('error', () => {});
    await happens(socket, 'connect');
    return socket;
  }
  const codes = (node: HiddenNode): Map<string, number> => {
    const seen = new Map<string, number>();
    node.on('refused', ({ code }) => seen.set(code, (seen.get(code) ?? 0) + 1));
    return seen;
  };
  /** The beginning of a handshake, and no more. */
  const HALF_HELLO = Buffer.from('16030102000100', 'hex');

  for (const [what, bytes] of [
    ['nothing', undefined],
    ['half a hello', HALF_HELLO],
  ] as const) {
    test(`one that says ${what} has so much time`, async () => {
      const node = await start(CALLED, { tls: credentials(), connectTimeoutMs: 50 });
      const refused = happens(node, 'refused');
      const socket = await calling(node.port);
      if (bytes !== undefined) socket.write(bytes);
      const [error] = (await refused) as [MegaphoneError];
      assert.equal(error.code, 'HANDSHAKE_TIMEOUT');
      if (!socket.destroyed) await happens(socket, 'close');
    });
  }

  test('300 of which each has said half: one that means it gets in at once', async () => {
    const tls = credentials();
    const node = await start(CALLED, { tls, connectTimeoutMs: 20_000 });
    const seen = codes(node);
    for (let count = 0; count < 300; count += 1) (await calling(node.port)).write(HALF_HELLO);
    const caller = await start(CALLER, { tls: credentials() });
    await caller.connect(CALLED, { host: '127.0.0.1', port: node.port });
    await until(() => (seen.get('HANDSHAKE_TOO_MANY') ?? 0) >= 300 - 256);
  });

  test('without end: they are refused unheard, and those who left in between are forgotten', async (t) => {
    slowClock(t);
    const node = await start(CALLED, { tls: credentials() });
    const seen = codes(node);
    let isFlooding = true;
    const flood = (): void => {
      if (!isFlooding) return;
      const socket = dial({ port: node.port, host: '127.0.0.1' });
      socket.on('error', () => {}).on('close', flood);
      socket.on('connect', () => socket.end(HALF_HELLO));
    };
    for (let count = 0; count < 20; count += 1) flood();
    await until(() => (seen.get('HANDSHAKE_TOO_FAST') ?? 0) > 500);
    isFlooding = false;
    await until(() => (seen.get('HANDSHAKE_CLOSED') ?? 0) > 0);
  });

  test('an HTTP client, and one that says anything', async () => {
    const node = await start(CALLED, { tls: credentials() });
    for (const bytes of ['GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'x'.repeat(300)]) {
      const refused = happens(node, 'refused');
      (await calling(node.port)).write(bytes);
      const [error] = (await refused) as [MegaphoneError];
      assert.equal(error.code, 'HANDSHAKE_TLS_MISMATCH', bytes.slice(0, 20));
    }
  });

  test('one with a good certificate and a long message, or the cookie of nobody, gets no further', async () => {
    const node = await start(CALLED, { tls: credentials() });
    const { cert, key, ca } = credentials().options;
    const long = Buffer.alloc(3_000);
    long.writeUInt32BE(2_996);
    for (const bytes of [long, Buffer.from('00000010', 'hex')]) {
      const refused = happens(node, 'refused');
      const socket = dialTls({
        port: node.port,
        host: '127.0.0.1',
        servername: 'localhost',
        cert,
        key,
        ca,
      } as object);
      sockets.push(socket);
      socket.on('error', () => {});
      await happens(socket, 'secureConnect');
      socket.end(bytes);
      const [error] = (await refused) as [MegaphoneError];
      assert.match(error.code, /HANDSHAKE_(BAD_MESSAGE|CLOSED)/);
    }
  });

  test('a name has four bytes of length, and is heard however it is cut', async () => {
    const node = await start(CALLED, { tls: credentials() });
    const { cert, key, ca } = credentials().options;
    const socket = dialTls({
      port: node.port,
      host: '127.0.0.1',
      servername: 'localhost',
      cert,
      key,
      ca,
    } as object);
    sockets.push(socket);
    await happens(socket, 'secureConnect');
    const name = encodeName({ name: CALLER, creation: 1, flags: OUR_FLAGS });
    const length = Buffer.alloc(4);
    length.writeUInt32BE(name.length);
    for (const byte of Buffer.concat([length, name])) {
      await new Promise((resolve) => socket.write(Buffer.of(byte), resolve));
    }
    let answer = Buffer.alloc(0);
    while (answer.length < 7)
      answer = Buffer.concat([answer, ...((await happens(socket, 'data')) as Buffer[])]);
    assert.equal(answer.subarray(0, 7).toString('latin1'), '\0\0\0\x03sok');
  });
});
