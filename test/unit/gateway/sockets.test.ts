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
import { FakeNode, type Sent, settled } from './fake-node.js';
import { FakeSocket } from './fake-socket.js';
import './never.js';

const PEER = 'ejabberd@localhost';
const MAX_EXCHANGES = 100;
const ANSWER_TIMEOUT = 30;
const CLIENT = { ip: '192.0.2.1', port: 1, secure: true, path: '/ws', origin: 'o', userAgent: 'u' };
const SESSION = new Pid(PEER, 0xfffffff0, 7, 0xf0000001);
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
  'the server answers with HTTP': (scene) => say(scene, 403, Buffer.from('no')),
  'the time to answer is over': ({ gateway }) => gateway.tick(ANSWER_TIMEOUT),
  'the server sends': (scene) => say(scene, atom('frame'), Buffer.from('hi')),
  'the server sends and asks': (scene) => say(scene, atom('frame'), [[104], 105], 4711),
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
the server grants it                     | accept      |              |                     | @closed 1006 dropped
a session of another node                | dropped     | dropped      | dropped             | dropped
the server answers with HTTP             | refuse 403  | dropped      | dropped             | dropped
the time to answer is over               | refuse 504  |              |                     |
the server sends                         | dropped     | text hi      | text hi             | dropped
the server sends and asks                | dropped     | text hi (4711) | text hi (4711)    | dropped
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

function say({ node, gateway, connId }: Scene, ...words: readonly Term[]): void {
  const bytes = encodeVersioned(tuple(connId, ...words));
  gateway.deliver(connId, bytes, 0, bytes.length, PEER);
  assert.equal(connId.node, node.name);
}

function told({ to, term }: Sent): string {
  const [, second, third] = term;
  const what = second instanceof Atom ? `${second.name} ${third}` : String(second);
  return to === undefined ? what : `@${what}`;
}

async function scene(registered: 'module' | 'shell', counters = new Counters()): Promise<Scene> {
  const node = new FakeNode();
  const gateway = new Gateway(
    node.asNode,
    {
      nodes: [PEER],
      maxExchanges: MAX_EXCHANGES,
      maxSockets: 2,
      answerTimeout: ANSWER_TIMEOUT,
      nodeReturnWait: 10,
      maxWaiting: 1e6,
    },
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
