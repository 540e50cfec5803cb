/** What no real node does: peers that break the protocol. A socket of the test's own plays them, byte by byte. */

import assert from 'node:assert/strict';
import { createServer, connect as dial, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { encodeControl } from '../../../src/distribution/control.js';
import { FLAGS, OUR_FLAGS } from '../../../src/distribution/flags.js';
import { FrameReader } from '../../../src/distribution/frames.js';
import * as message from '../../../src/distribution/handshake-messages.js';
import type { MegaphoneError } from '../../../src/errors.js';
import { encodeVersioned } from '../../../src/etf/encode.js';
import { atom, Pid, Reference } from '../../../src/etf/terms.js';
import { Cookie } from '../../../src/node/cookie.js';
import { HiddenNode, type NodeOptions } from '../../../src/node/hidden-node.js';
import { slowClock } from '../../support/slow-clock.js';
import { happens } from '../../support/until.js';

const NODE = 'megaphone@localhost';
const FAKE = 'fake@localhost';
const cookie = new Cookie('xyzzy');
const fake: message.Identity = { name: FAKE, creation: 9, flags: OUR_FLAGS };
const pid = new Pid(FAKE, 1, 0, 9);
const ref = new Reference(FAKE, 9, [1, 2, 3]);

/** The fake's end of a connection. */
class Fake {
  readonly socket: Socket;
  readonly #reader: FrameReader;
  #arrived: () => void = () => {};

  constructor(socket: Socket) {
    this.socket = socket;
    this.#reader = new FrameReader(2, 1_000_000);
    socket.on('error', () => {});
    socket.on('data', (chunk) => {
      this.#reader.push(chunk);
      this.#arrived();
    });
    socket.on('close', () => this.#arrived());
  }

  /** A handshake message. */
  say(body: Buffer): void {
    const length = Buffer.alloc(2);
    length.writeUInt16BE(body.length);
    this.socket.write(Buffer.concat([length, body]));
  }

  /** A frame of an established connection. */
  frame(body: Uint8Array): void {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(body.length);
    this.socket.write(Buffer.concat([length, body]));
  }

  /** The next message or frame, `undefined` when the node closed. */
  async hear(): Promise<Buffer | undefined> {
    for (;;) {
      const next = this.#reader.next();
      if (next !== undefined) return next;
      if (this.socket.destroyed) return undefined;
      await new Promise<void>((resolve) => {
        this.#arrived = resolve;
      });
    }
  }

  established(): void {
    this.#reader.switchTo(4, 100_000_000);
  }
}

describe('hostile peers', { timeout: 300_000 }, () => {
  let node: HiddenNode;
  let server: Server;
  let endpoint: { host: string; port: number };
  const sockets: Socket[] = [];

  beforeEach(async () => {
    server = createServer().listen(0, '127.0.0.1');
    await happens(server, 'listening');
    const address = server.address();
    assert.ok(typeof address === 'object' && address !== null);
    endpoint = { host: '127.0.0.1', port: address.port };
  });
  afterEach(async () => {
    for (const socket of sockets.splice(0)) socket.destroy();
    server.close();
    await node.stop();
  });

  async function start(options: Partial<NodeOptions> = {}): Promise<void> {
    // Where a test is not about that, nobody's time is over.
    node = await HiddenNode.start({ name: NODE, cookie, epmd: false, connectTimeoutMs: 300_000, ...options });
  }

  /** The node connects to the fake. */
  async function reached(name = FAKE): Promise<{ peer: Fake; connected: Promise<void> }> {
    const connected = node.connect(name, endpoint);
    connected.catch(() => {});
    const [socket] = (await happens(server, 'connection')) as [Socket];
    sockets.push(socket);
    const peer = new Fake(socket);
    await peer.hear();
    return { peer, connected };
  }

  /** Its time is that of each step: where the machine is too slow for the first, once more with twice as much. */
  async function hurried(early: string, expected: string, attempt: () => Promise<void>): Promise<void> {
    for (let connectTimeoutMs = 50; ; connectTimeoutMs *= 2) {
      await start({ connectTimeoutMs });
      const { code } = await attempt().then(
        () => assert.fail('it connected'),
        (error: MegaphoneError) => error,
      );
      if (code !== early) return assert.equal(code, expected);
      await node.stop();
    }
  }

  /** The fake connects to the node. */
  async function calling(localAddress = '127.0.0.1'): Promise<Fake> {
    const socket = dial({ port: node.port, host: '127.0.0.1', localAddress });
    sockets.push(socket);
    const peer = new Fake(socket);
    await happens(socket, 'connect');
    return peer;
  }

  async function refusal(): Promise<MegaphoneError> {
    const [error] = (await happens(node, 'refused')) as [MegaphoneError];
    return error;
  }

  /** The fake connects and goes through with the handshake. */
  async function linked(name = FAKE, expected = 'ok', from?: string): Promise<Fake> {
    const up = happens(node, 'up');
    const peer = await calling(from);
    peer.say(message.encodeName({ ...fake, name }));
    assert.equal(message.decodeStatus((await peer.hear()) as Buffer), expected);
    if (expected === 'alive') peer.say(message.encodeStatus('true'));
    const { challenge } = message.decodeChallenge((await peer.hear()) as Buffer);
    peer.say(message.encodeReply(5, cookie.digest(challenge)));
    assert.deepEqual(message.decodeAck((await peer.hear()) as Buffer), cookie.digest(5));
    peer.established();
    await up;
    return peer;
  }

  async function downOf(act: () => void): Promise<MegaphoneError> {
    const down = happens(node, 'down') as Promise<[string, MegaphoneError]>;
    act();
    const [, error] = await down;
    return error;
  }

  describe('that we connect to', () => {
    const answers: readonly (readonly [string, string, (peer: Fake) => void])[] = [
      ['an unknown status', 'HANDSHAKE_BAD_MESSAGE', (peer) => peer.say(message.encodeStatus('maybe'))],
      ['not_allowed', 'HANDSHAKE_NOT_ALLOWED', (peer) => peer.say(message.encodeStatus('not_allowed'))],
      ['nothing but a close', 'HANDSHAKE_CLOSED', (peer) => peer.socket.destroy()],
      ['HTTP', 'HANDSHAKE_BAD_MESSAGE', (peer) => peer.socket.write('HTTP/1.1 400 Bad Request\r\n\r\n')],
      ['an empty message', 'HANDSHAKE_BAD_MESSAGE', (peer) => peer.say(Buffer.alloc(0))],
      ['a message beyond the limit', 'HANDSHAKE_BAD_MESSAGE', (peer) => peer.say(Buffer.alloc(10_000))],
      [
        'a challenge without a flag we need',
        'HANDSHAKE_FLAGS',
        (peer) => {
          peer.say(message.encodeStatus('ok'));
          peer.say(message.encodeChallenge({ ...fake, flags: OUR_FLAGS & ~FLAGS.UNLINK_ID }, 1));
        },
      ],
      [
        'a challenge that is cut short',
        'HANDSHAKE_BAD_MESSAGE',
        (peer) => {
          peer.say(message.encodeStatus('ok'));
          peer.say(message.encodeChallenge(fake, 1).subarray(0, 25));
        },
      ],
    ];
    for (const [what, code, answer] of answers) {
      test(`and that answer with ${what}`, async () => {
        await start();
        const { peer, connected } = await reached();
        answer(peer);
        await assert.rejects(connected, { code });
      });
    }

    test('and that say nothing at all', () =>
      hurried('NODE_UNREACHABLE', 'HANDSHAKE_TIMEOUT', async () => {
        const { peer, connected } = await reached();
        await assert.rejects(connected);
        assert.equal(await peer.hear(), undefined);
        return connected;
      }));

    test('and that send one byte now and then', async () => {
      await start({ connectTimeoutMs: 200 });
      const { peer, connected } = await reached();
      const drip = setInterval(() => peer.socket.write(Buffer.of(0)), 20);
      peer.say(message.encodeStatus('ok').subarray(0, 1));
      await assert.rejects(connected, (error: MegaphoneError) => error.code.startsWith('HANDSHAKE_'));
      clearInterval(drip);
    });

    test('and that acknowledge with a digest that proves nothing', async () => {
      await start();
      const { peer, connected } = await reached();
      peer.say(message.encodeStatus('ok'));
      peer.say(message.encodeChallenge(fake, 77));
      const { digest } = message.decodeReply((await peer.hear()) as Buffer);
      assert.deepEqual(digest, cookie.digest(77));
      // The digest it just got from us.
      peer.say(message.encodeAck(digest));
      await assert.rejects(connected, { code: 'HANDSHAKE_WRONG_COOKIE' });
    });

    test('and that believe we are connected: they are told true', async () => {
      await start();
      const { peer, connected } = await reached();
      peer.say(message.encodeStatus('alive'));
      assert.equal(message.decodeStatus((await peer.hear()) as Buffer), 'true');
      peer.say(message.encodeChallenge(fake, 77));
      const { challenge } = message.decodeReply((await peer.hear()) as Buffer);
      peer.say(message.encodeAck(cookie.digest(challenge)));
      await connected;
    });

    test('and that say nok and then connect themselves: that is the connection', async () => {
      await start();
      const { peer, connected } = await reached('zebra@localhost');
      peer.say(message.encodeStatus('nok'));
      await linked('zebra@localhost', 'ok_simultaneous');
      await connected;
      assert.equal(node.peers().length, 1);
    });

    test('and that connect to us meanwhile: our name is the greater, so they are told nok', async () => {
      await start();
      const { peer, connected } = await reached();
      const refused = refusal();
      const second = await calling();
      second.say(message.encodeName(fake));
      assert.equal(message.decodeStatus((await second.hear()) as Buffer), 'nok');
      assert.equal((await refused).code, 'HANDSHAKE_SIMULTANEOUS');
      peer.say(message.encodeStatus('ok_simultaneous'));
      peer.say(message.encodeChallenge(fake, 77));
      const { challenge } = message.decodeReply((await peer.hear()) as Buffer);
      peer.say(message.encodeAck(cookie.digest(challenge)));
      await connected;
    });

    test('and that say nok and then never connect', () =>
      hurried('HANDSHAKE_TIMEOUT', 'HANDSHAKE_SIMULTANEOUS', async () => {
        const { peer, connected } = await reached('zebra@localhost');
        peer.say(message.encodeStatus('nok'));
        return connected;
      }));

    test('and that send frames in one piece with the end of the handshake', async () => {
      await start();
      const heard = new Promise((resolve) => node.register('hub', { deliver: resolve }));
      const { peer, connected } = await reached();
      peer.say(message.encodeStatus('ok'));
      peer.say(message.encodeChallenge(fake, 77));
      const { challenge } = message.decodeReply((await peer.hear()) as Buffer);
      const control = encodeControl({ op: 'REG_SEND', from: pid, to: 'hub' });
      const frame = Buffer.concat([Buffer.of(112), control, encodeVersioned(atom('early'))]);
      peer.socket.cork();
      peer.say(message.encodeAck(cookie.digest(challenge)));
      peer.frame(frame);
      peer.socket.uncork();
      await connected;
      assert.deepEqual(await heard, atom('early'));
    });
  });

  describe('that connect to us', () => {
    test('without the cookie', async () => {
      await start();
      const refused = refusal();
      const peer = await calling();
      peer.say(message.encodeName(fake));
      await peer.hear();
      await peer.hear();
      peer.say(message.encodeReply(5, Buffer.alloc(16)));
      assert.equal((await refused).code, 'HANDSHAKE_WRONG_COOKIE');
      assert.equal(await peer.hear(), undefined);
      assert.deepEqual(node.peers(), []);
    });

    test('under our own name', async () => {
      await start();
      const refused = refusal();
      const peer = await calling();
      peer.say(message.encodeName({ ...fake, name: NODE }));
      assert.equal(message.decodeStatus((await peer.hear()) as Buffer), 'not_allowed');
      assert.equal((await refused).code, 'HANDSHAKE_NOT_ALLOWED');
    });

    test('and hang up', async () => {
      await start();
      const closed = refusal();
      (await calling()).socket.destroy();
      assert.equal((await closed).code, 'HANDSHAKE_CLOSED');
    });

    test('and say nothing', async () => {
      await start({ connectTimeoutMs: 50 });
      const silent = refusal();
      const peer = await calling();
      assert.equal((await silent).code, 'HANDSHAKE_TIMEOUT');
      assert.equal(await peer.hear(), undefined);
    });

    test('300 at once that say nothing: one that has something to say gets in at once', async () => {
      await start();
      const refused = happens(node, 'refused') as Promise<[MegaphoneError]>;
      const silent = await Promise.all(Array.from({ length: 300 }, () => calling()));
      await linked();
      assert.equal((await refused)[0].code, 'HANDSHAKE_TOO_MANY');
      assert.equal(await silent[0]?.hear(), undefined);
      assert.equal(silent.at(-1)?.socket.destroyed, false);
    });

    test('without end from one address: that one is refused unheard, another one gets in', async (t) => {
      slowClock(t);
      await start();
      const codes = new Map<string, number>();
      node.on('refused', ({ code }) => codes.set(code, (codes.get(code) ?? 0) + 1));
      let isFlooding = true;
      const flood = (): void => {
        if (!isFlooding) return;
        const socket = dial({ port: node.port, host: '127.0.0.1' });
        socket.on('error', () => {}).on('close', flood);
        socket.on('connect', () => socket.destroy());
      };
      for (let count = 0; count < 50; count += 1) flood();
      while ((codes.get('HANDSHAKE_TOO_FAST') ?? 0) < 1_000) await happens(node, 'refused');
      await linked('friend@localhost', 'ok', '127.0.0.2');
      isFlooding = false;
    });

    test('in the name of a connected node but without the cookie: the connection stays', async () => {
      await start();
      await linked();
      const refused = refusal();
      const impostor = await calling();
      impostor.say(message.encodeName(fake));
      assert.equal(message.decodeStatus((await impostor.hear()) as Buffer), 'alive');
      impostor.say(message.encodeStatus('true'));
      await impostor.hear();
      impostor.say(message.encodeReply(5, Buffer.alloc(16)));
      assert.equal((await refused).code, 'HANDSHAKE_WRONG_COOKIE');
      assert.deepEqual(
        node.peers().map(({ up }) => up),
        [true],
      );
    });

    test('again in a new life: with the cookie it takes the place of the old connection', async () => {
      await start();
      const first = await linked();
      const down = happens(node, 'down') as Promise<[string, MegaphoneError]>;
      const second = await linked(FAKE, 'alive');
      assert.equal((await down)[1].code, 'LINK_SUPERSEDED');
      assert.equal(await first.hear(), undefined);
      second.frame(Buffer.alloc(0));
      assert.deepEqual(
        node.peers().map(({ node: name, up }) => [name, up]),
        [[FAKE, true]],
      );
    });

    test('again, and then do not want to any more', async () => {
      await start();
      await linked();
      const refused = refusal();
      const second = await calling();
      second.say(message.encodeName(fake));
      assert.equal(message.decodeStatus((await second.hear()) as Buffer), 'alive');
      second.say(message.encodeStatus('false'));
      assert.equal((await refused).code, 'HANDSHAKE_ALIVE');
      assert.equal(node.peers().length, 1);
    });
  });

  describe('that are linked', () => {
    const to = new Pid(NODE, 1, 0, 1);
    const frames: readonly (readonly [string, Buffer])[] = [
      ['garbage', Buffer.from('garbage')],
      ['a frame behind a distribution header', Buffer.of(131, 68, 0)],
    ];
    for (const [what, frame] of frames) {
      test(`and send ${what}`, async () => {
        await start();
        const peer = await linked();
        const error = await downOf(() => peer.frame(frame));
        assert.deepEqual([error.code, error.node], ['LINK_BAD_FRAME', FAKE]);
        assert.equal(await peer.hear(), undefined);
      });
    }

    const useless: readonly (readonly [string, Buffer])[] = [
      ['an unknown operation', Buffer.concat([Buffer.of(112, 131, 104, 1, 97, 99)])],
      [
        'a signal in the name of a third node',
        Buffer.concat([
          Buffer.of(112),
          encodeControl({ op: 'LINK', from: new Pid('third@localhost', 1, 1, 1), to }),
        ]),
      ],
      [
        'a message that stops behind its control message',
        Buffer.concat([Buffer.of(112), encodeControl({ op: 'SEND', to })]),
      ],
    ];
    for (const [what, frame] of useless) {
      test(`and send ${what}: it is dropped, and the connection stays`, async () => {
        await start();
        const peer = await linked();
        const unusable = happens(node, 'unusable') as Promise<[string, MegaphoneError]>;
        peer.frame(frame);
        const [who, error] = await unusable;
        assert.deepEqual([who, error.code], [FAKE, 'LINK_BAD_CONTROL']);
        // Answered behind it, over the same connection.
        peer.frame(
          Buffer.concat([Buffer.of(112), encodeControl({ op: 'MONITOR_P', from: pid, to: 'nobody', ref })]),
        );
        assert.ok(((await peer.hear())?.length ?? 0) > 0);
      });
    }

    test('and announce a frame beyond the limit: they are cut off before it comes', async () => {
      await start({ maxFrameBytes: 1000 });
      const peer = await linked();
      const error = await downOf(() => peer.socket.write(Buffer.of(0, 0, 3, 233)));
      assert.equal(error.code, 'LINK_FRAME_TOO_LONG');
    });

    test('and hang up', async () => {
      await start();
      const peer = await linked();
      assert.equal((await downOf(() => peer.socket.resetAndDestroy())).code, 'LINK_CLOSED');
    });

    test('and fall silent', async () => {
      await start({ tickTime: 0.2 });
      const peer = await linked();
      const error = await downOf(() => {});
      assert.equal(error.code, 'LINK_SILENT');
      assert.equal((await peer.hear())?.length, 0);
    });

    test('and ask without end and never read the answers', async () => {
      await start({ maxQueuedBytes: 100_000 });
      const peer = await linked();
      peer.socket.pause();
      const question = Buffer.concat([
        Buffer.of(112),
        encodeControl({ op: 'MONITOR_P', from: pid, to: 'nobody', ref }),
      ]);
      const down = happens(node, 'down') as Promise<[string, MegaphoneError]>;
      let asking = true;
      const ask = (): void => {
        for (let count = 0; count < 1_000; count++) peer.frame(question);
        if (asking) setImmediate(ask);
      };
      ask();
      const [, error] = await down;
      asking = false;
      assert.equal(error.code, 'LINK_NOT_READING');
    });
  });
});
