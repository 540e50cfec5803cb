/**
 * The life of a WebSocket as its client and its node see it: in each state whatever can happen happens once, and the table
 * says what the client hears, what the node is sent (behind an @ straight to the session), and what is counted as dropped.
 */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { pino } from 'pino';
import { encodeVersioned } from '../../../src/etf/encode.js';
import { Atom, atom, Pid, type Term, tuple } from '../../../src/etf/terms.js';
import { Gateway } from '../../../src/gateway/gateway.js';
import { Counters } from '../../../src/observe/counters.js';
import { MAX_NUMBER } from '../../../src/websocket/writer.js';
import { FakeNode, OPTIONS, type Sent, settled } from './fake-node.js';
import { FakeSocket } from './fake-socket.js';
import './never.js';

const PEER = 'ejabberd@localhost';
const OTHER = 'other@localhost';
const MAX_EXCHANGES = 100;
const CLIENT = { ip: '192.0.2.1', port: 1, secure: true, path: '/ws', origin: 'o', userAgent: 'u' };
const SESSION = new Pid(PEER, 0xfffffff0, 7, 0xf0000001);
const ELSEWHERE = new Pid(OTHER, 13, 0, 0xf0000001);
const NEXT_SESSION = new Pid(PEER, 12, 8, 0xf0000001);

interface Scene {
  readonly node: FakeNode;
  readonly gateway: Gateway;
  readonly socket: FakeSocket;
  readonly connId: Pid;
}

/** Each leaves one socket in the state of its name. */
const STATES: Readonly<Record<string, (scene: Scene) => void | Promise<void>>> = {
  asked: () => {},
  plain: () => {},
  open: (scene) => say(scene, atom('session'), SESSION),
  lost: async (scene) => {
    say(scene, atom('session'), SESSION);
    await scene.node.up(PEER);
  },
};

beforeEach(() => mock.timers.enable({ apis: ['setInterval'] }));
afterEach(() => mock.timers.reset());

const EVENTS: Readonly<Record<string, (scene: Scene) => void | Promise<void>>> = {
  'the server grants it': (scene) => say(scene, atom('session'), NEXT_SESSION),
  'a session of another node': (scene) => say(scene, atom('session'), new Pid('x@localhost', 1, 2, 3)),
  'another node grants it': async (scene) => {
    await scene.node.up(OTHER);
    sayFrom(OTHER, scene, atom('session'), ELSEWHERE);
  },
  'the server answers with HTTP': (scene) => say(scene, 403, Buffer.from('no')),
  'the server sends': (scene) => say(scene, atom('frame'), Buffer.from('hi')),
  'the server sends and asks': (scene) => say(scene, atom('frame'), [[104], 105], 4711),
  'it asks with the largest number': (scene) => say(scene, atom('frame'), Buffer.from('hi'), MAX_NUMBER),
  'it asks with a larger number': (scene) => say(scene, atom('frame'), Buffer.from('hi'), MAX_NUMBER + 1),
  'the server sends what is no text': (scene) => say(scene, atom('frame'), Buffer.of(0xff)),
  'the server took some': (scene) => say(scene, atom('taken'), 1),
  'the server closes': (scene) => say(scene, atom('close'), 1008, Buffer.from('bye')),
  'the client sends': ({ gateway, socket }) => {
    gateway.sockets.frame(socket.handle, Buffer.from('hello'));
  },
  'the client has read': ({ gateway, socket }) => gateway.sockets.read(socket.handle, 5),
  'the client sends, the node does not read': ({ node, gateway, socket }) => {
    node.reads(PEER, false);
    assert.equal(gateway.sockets.frame(socket.handle, Buffer.from('hello')), false);
  },
  'the client has read, the node does not': ({ node, gateway, socket }) => {
    node.reads(PEER, false);
    gateway.sockets.read(socket.handle, 5);
  },
  'the client leaves': ({ gateway, socket }) => gateway.sockets.closed(socket.handle, 1001),
  'the module crashes': ({ node }) => node.crash(PEER, 'nobody'),
  'the connection breaks': ({ node }) => node.down(PEER),
  'the gateway stops': ({ gateway }) => gateway.stop(),
};

const TABLE = `
                                         | asked       | plain        | open                | lost
the server grants it                     | accept      |              | @moved              | @closed 1006 dropped
a session of another node                | dropped     | dropped      | dropped             | dropped
another node grants it                   | accept      | @closed 1006 dropped | @moved      | @closed 1006 dropped
the server answers with HTTP             | refuse 403  | dropped      | dropped             | dropped
the server sends                         | dropped     | text hi      | text hi             | dropped
the server sends and asks                | dropped     | text hi (4711) | text hi (4711)    | dropped
it asks with the largest number          | dropped     | text hi (281474976710655) | text hi (281474976710655) | dropped
it asks with a larger number             | dropped     | dropped      | dropped             | dropped
the server sends what is no text         | dropped     | closed 1011 dropped close 1011 | @closed 1011 dropped close 1011 | dropped
the server took some                     | dropped     | dropped      |                     | dropped
the server closes                        | refuse 503  | close 1008   | close 1008          | dropped
the client sends                         |             | hello        | @hello              |
the client has read                      |             | read 5       | @read 5             |
the client sends, the node does not read |             | close 1013   | @closed 1013 close 1013 |
the client has read, the node does not   |             | close 1013   | @closed 1013 close 1013 |
the client leaves                        | gone        | closed 1001 gone | @closed 1001 gone | gone
the module crashes                       | refuse 503  | close 1012   |                     | close 1012
the connection breaks                    | refuse 503  | close 1012   | close 1012          | close 1012
the gateway stops                        | refuse 503  | closed 1012 close 1012 | @closed 1012 close 1012 | close 1012
`;

/** What of it happens to nobody: an upgrade that is not granted has no frames. */
const never = (state: string, event: string): boolean =>
  state === 'asked' && event.startsWith('the client') && event !== 'the client leaves';

const say = (scene: Scene, ...words: readonly Term[]): void => sayFrom(PEER, scene, ...words);

function sayFrom(peer: string, { node, gateway, connId }: Scene, ...words: readonly Term[]): void {
  const bytes = encodeVersioned(tuple(connId, ...words));
  gateway.deliver(connId, bytes, 0, bytes.length, peer);
  assert.equal(connId.node, node.name);
}

function told({ to, term }: Sent): string {
  const [, second, third] = term;
  const what = second instanceof Atom ? [second.name, third ?? []].flat().join(' ') : String(second);
  return to === undefined ? what : `@${what}`;
}

async function scene(registered: 'module' | 'shell', counters = new Counters()): Promise<Scene> {
  const node = new FakeNode();
  const gateway = new Gateway(
    node.asNode,
    { ...OPTIONS, nodes: [{ name: PEER }, { name: OTHER }], maxExchanges: MAX_EXCHANGES, maxSockets: 2 },
    counters,
    pino({ level: 'silent' }),
  );
  gateway.tick(0);
  await node.up(PEER, registered);
  const socket = new FakeSocket();
  socket.handle = gateway.sockets.open(socket, CLIENT);
  const connId = node.sent.at(-1)?.term[0];
  assert.ok(connId instanceof Pid && connId.id > MAX_EXCHANGES);
  await settled();
  return { node, gateway, socket, connId };
}

async function outcome(state: string, event: string): Promise<string> {
  const counters = new Counters();
  const set = await scene(state === 'plain' ? 'shell' : 'module', counters);
  const { node, gateway, socket } = set;
  await STATES[state]?.(set);
  assert.equal(gateway.sockets.size, 1);
  const heardBefore = socket.heard.length;
  const sentBefore = node.sent.length;
  await EVENTS[event]?.(set);
  mock.timers.tick(10_000);
  const said = node.sent.slice(sentBefore).map(told);
  const dropped = counters.dropped.stale + counters.dropped.unknown_shape > 0 ? ['dropped'] : [];
  const hasLeft = event === 'the client leaves' ? ['gone'] : [];
  const isOver = socket.isOver || hasLeft.length > 0 || state === 'lost';
  assert.equal(gateway.sockets.size, isOver ? 0 : 1, `${state}: ${event}`);
  assert.equal(node.ended.length, isOver ? 1 : 0);
  return [
    ...said.filter((what) => !what.startsWith('mark')),
    ...dropped,
    ...socket.heard.slice(heardBefore),
    ...hasLeft,
  ].join(' ');
}

const [[, ...states] = [], ...rows] = TABLE.trim()
  .split('\n')
  .map((line) => line.split('|').map((cell) => cell.trim()));

test('the table has a row for each event and a column for each state', () => {
  assert.deepEqual(states, Object.keys(STATES));
  assert.deepEqual(
    rows.map(([event]) => event),
    Object.keys(EVENTS),
  );
});

for (const [event = '', ...cells] of rows) {
  test(event, async () => {
    for (const [index, state] of states.entries()) {
      if (never(state, event)) continue;
      // A lost one is closed in its turn, whatever else happens, unless its client has left.
      const ofItself = state === 'lost' && event !== 'the client leaves' ? 'close 1012' : '';
      const expected = cells[index] ?? '';
      const whole = expected.endsWith(ofItself) ? expected : `${expected} ${ofItself}`.trim();
      assert.equal(await outcome(state, event), whole, `${state}: ${event}`);
    }
  });
}

test('the module is told who asks, once, in a counted place', async () => {
  const { node, gateway, connId } = await scene('module');
  const [cluster] = gateway.cluster.nodes;
  assert.equal(cluster?.outbox.onTheWay, 1);
  assert.equal(cluster?.room.started, 1);
  const opens = node.sent.filter(({ term }) => told({ peer: PEER, term }).startsWith('open'));
  assert.equal(opens.length, 1);
  const meta = opens[0]?.term[2];
  assert.ok(meta instanceof Map);
  const plain = [...meta].map(([key, value]) => [
    String(key),
    value instanceof Atom ? value.name === 'true' : typeof value === 'number' ? value : String(value),
  ]);
  assert.deepEqual(Object.fromEntries(plain), {
    ip: '192.0.2.1',
    port: 1,
    secure: true,
    path: '/ws',
    origin: 'o',
    user_agent: 'u',
    transport: 'websocket',
  });
  node.down(PEER);
  await node.up(PEER);
  assert.equal(node.sent.filter(({ term }) => told({ peer: PEER, term }).startsWith('open')).length, 1);
  assert.ok(node.ended.some((pid) => pid.id === connId.id));
});

test('without a node, without room or while stopping it is refused as a creation is', async () => {
  const counters = new Counters();
  const { node, gateway } = await scene('module', counters);
  const refused = (): string[] => {
    const socket = new FakeSocket();
    assert.equal(gateway.sockets.open(socket, CLIENT), 0);
    return socket.heard;
  };
  gateway.cluster.nodes[0]?.room.full(10);
  assert.deepEqual(refused(), ['refuse 503']);
  gateway.tick(11);
  node.reads(PEER, false);
  assert.deepEqual(refused(), ['refuse 503']);
  node.reads(PEER, true);
  const second = new FakeSocket();
  assert.notEqual(gateway.sockets.open(second, CLIENT), 0);
  assert.deepEqual(refused(), ['refuse 503'], 'the table has two slots');
  node.down(PEER);
  assert.deepEqual(refused(), ['refuse 503']);
  gateway.stop();
  assert.deepEqual(refused(), ['refuse 503']);
  const { full, overload, no_node, stopping, node_lost } = counters.refused;
  assert.deepEqual([full, overload, no_node, stopping, node_lost], [1, 2, 1, 1, 2]);
});

test('a client is read no further while its session has not taken enough, and again when it has', async () => {
  const set = await scene('module');
  const { gateway, socket } = set;
  say(set, atom('session'), SESSION);
  const send = (): boolean => gateway.sockets.frame(socket.handle, Buffer.from('x'));
  for (let frame = 1; frame < 64; frame += 1) assert.ok(send());
  assert.equal(send(), false);
  for (const nonsense of [65, -1, 0]) say(set, atom('taken'), nonsense);
  assert.equal(socket.heard.includes('resume'), false);
  say(set, atom('taken'), 16);
  assert.equal(socket.heard.filter((word) => word === 'resume').length, 1);
  say(set, atom('taken'), 32);
  assert.equal(socket.heard.filter((word) => word === 'resume').length, 1);
  assert.ok(send());
});

test('a shell says nothing of what it took, and need not', async () => {
  const { gateway, socket } = await scene('shell');
  for (let frame = 0; frame < 1000; frame += 1) {
    assert.ok(gateway.sockets.frame(socket.handle, Buffer.alloc(1000, 'x')));
  }
});

test('frames go to whichever process was named last', async () => {
  const set = await scene('module');
  const { node, gateway, socket } = set;
  for (const session of [SESSION, NEXT_SESSION]) {
    say(set, atom('session'), session);
    gateway.sockets.frame(socket.handle, Buffer.from('x'));
    assert.deepEqual(node.sent.at(-1)?.to, session);
  }
  assert.deepEqual(socket.heard, ['accept']);
});

test('a process to which a shell hands its client over keeps it when the shell is gone', async () => {
  const set = await scene('shell');
  say(set, atom('session'), SESSION);
  await set.node.crash(PEER, 'nobody');
  mock.timers.tick(10_000);
  assert.ok(set.gateway.sockets.frame(set.socket.handle, Buffer.from('x')));
  assert.deepEqual(set.socket.heard, ['accept']);
});

test('the ConnId of a slot that is taken again is stale', async () => {
  const set = await scene('module');
  const { node, gateway, socket } = set;
  gateway.sockets.closed(socket.handle, 1006);
  const next = new FakeSocket();
  assert.equal(gateway.sockets.open(next, CLIENT), socket.handle);
  const before = node.sent.length;
  say(set, atom('session'), SESSION);
  say(set, atom('frame'), Buffer.from('for the first'));
  say(set, atom('close'), 1000, Buffer.from(''));
  assert.deepEqual(next.heard, []);
  assert.deepEqual(node.sent.slice(before).map(told), ['@closed 1006']);
  assert.equal(gateway.counters.dropped.stale, 3);
  assert.ok(!gateway.isAlive(set.connId));
});

for (const [what, other] of [
  ['another node', OTHER],
  ['a node that nobody had spoken of', 'stranger@localhost'],
] as const) {
  test(`a session that moved to ${what} has the socket there`, async () => {
    const set = await scene('module');
    const { node, gateway, socket } = set;
    say(set, atom('session'), SESSION);
    await node.up(other);
    const session = new Pid(other, 5, 6, 7);
    sayFrom(other, set, atom('session'), session);
    gateway.sockets.frame(socket.handle, Buffer.from('x'));
    const [moved, frame] = node.sent.slice(-2);
    assert.deepEqual([moved && told(moved), moved?.to], ['@moved', SESSION]);
    assert.deepEqual([frame && told(frame), frame?.to], ['@x', session]);
    assert.ok(node.kept.has(other) || other === OTHER, 'its link is kept');
    await node.up(PEER);
    await node.crash(other, 'nobody');
    mock.timers.tick(10_000);
    assert.deepEqual(socket.heard, ['accept']);
    node.down(other);
    mock.timers.tick(10_000);
    assert.deepEqual(socket.heard, ['accept', 'close 1012']);
  });
}

test('what ends is counted by its code', async () => {
  const set = await scene('module');
  say(set, atom('session'), SESSION);
  set.gateway.sockets.frame(set.socket.handle, Buffer.from('four'));
  say(set, atom('frame'), Buffer.from('seven..'));
  set.gateway.sockets.closed(set.socket.handle, 1001);
  const { websocket, websocketClosed } = set.gateway.counters;
  const cut = { ping_timeouts: 0, slow_readers: 0 };
  assert.deepEqual(websocket, { opened: 1, frames_in: 1, frames_out: 1, bytes_in: 4, bytes_out: 7, ...cut });
  assert.equal(websocketClosed['1001'], 1);
});
