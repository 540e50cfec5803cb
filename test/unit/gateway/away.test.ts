/** Nodes that are away, by a clock of the test's: what becomes of requests for their sessions, and what is said of them. */

import assert from 'node:assert/strict';
import { beforeEach, test } from 'node:test';
import { pino } from 'pino';
import { MegaphoneError } from '../../../src/errors.js';
import { encodeVersioned } from '../../../src/etf/encode.js';
import { Atom, type Term, tuple } from '../../../src/etf/terms.js';
import { Gateway } from '../../../src/gateway/gateway.js';
import { tagOf } from '../../../src/gateway/sid.js';
import { Counters } from '../../../src/observe/counters.js';
import { health, type Sources } from '../../../src/observe/report.js';
import { ask } from './fake-client.js';
import { FakeNode, OPTIONS, type Registered, settled } from './fake-node.js';

const PEER = 'ejabberd@localhost';
const SID = `${tagOf(PEER)}.random`;
const WAIT = 10;

let node: FakeNode;
let gateway: Gateway;
let answers: string[];

async function start(registered: Registered = 'module'): Promise<void> {
  node = new FakeNode();
  const options = { ...OPTIONS, nodes: [{ name: PEER }], answerTimeout: 1000, nodeReturnWait: WAIT };
  gateway = new Gateway(node.asNode, options, new Counters(), pino({ level: 'silent' }));
  answers = [];
  gateway.tick(0);
  await up(registered);
}

async function up(registered: Registered = 'module'): Promise<void> {
  await node.up(PEER, registered);
  assert.equal(gateway.cluster.inService, 1);
}

const down = (): void => node.down(PEER);

function request(rid: number): void {
  ask(gateway, rid, SID, ({ heard: [outcome = ''] }) => {
    answers.push(outcome === 'item-not-found' ? outcome : `${rid} ${outcome}`);
  });
}

/** The latest request, mark or question, as it was sent. */
const latest = (): Term[] => [...(node.sent.at(-1)?.term ?? [])];

function answerLatest(): void {
  const [connId] = latest();
  assert.ok(connId !== undefined);
  const bytes = encodeVersioned(tuple(connId, 200, Buffer.from('answer')));
  gateway.deliver(connId as never, bytes, 0, bytes.length, PEER);
}

function onTheWay(): number | undefined {
  const { counters, cluster } = gateway;
  const none = (): number => 0;
  const sources: Sources = {
    node: node.name,
    counters,
    nodes: () => cluster.nodes,
    startedAt: 0,
    openExchanges: none,
    websockets: none,
    connections: none,
    receiving: none,
    state: () => 'in_service',
    link: () => ({
      ...{ isUp: false, tls: '', opened: 0, bytesIn: 0, bytesOut: 0 },
      framesIn: 0,
      framesOut: 0,
      queuedBytes: 0,
    }),
    certificates: () => ({}),
    isSeed: () => true,
    usage: () => ({ pid: 1, cpu_seconds: 0, memory_bytes: 0, event_loop_delay: 0 }),
  };
  return health(sources).nodes[PEER]?.requests_on_the_way;
}

beforeEach(() => start());

test('a request for a node that is away waits while a session there may live', () => {
  gateway.tick(100);
  down();
  gateway.tick(100 + node.sessionSeconds);
  request(1);
  gateway.tick(100 + node.sessionSeconds + WAIT - 1);
  assert.deepEqual(answers, []);
});

test('one that waits until no session there can live is item-not-found; so is every later one, at once', () => {
  gateway.tick(100);
  down();
  gateway.tick(100 + node.sessionSeconds - WAIT);
  request(1);
  gateway.tick(100 + node.sessionSeconds);
  assert.deepEqual(answers, ['1 503']);
  request(2);
  gateway.tick(100 + node.sessionSeconds + WAIT);
  assert.deepEqual(answers, ['1 503', 'item-not-found']);
  request(3);
  assert.deepEqual(answers, ['1 503', 'item-not-found', 'item-not-found']);
});

test('it counts from when it went away the last time', async () => {
  gateway.tick(100);
  down();
  gateway.tick(100 + node.sessionSeconds + 1);
  await up();
  request(7);
  answerLatest();
  assert.deepEqual(answers.splice(0), ['7 200']);
  gateway.tick(300);
  down();
  gateway.tick(300 + node.sessionSeconds);
  request(1);
  assert.deepEqual(answers, []);
});

test('how long sessions live is asked again now and then, while the node is there', async () => {
  assert.equal(node.asked, 1);
  for (let second = 1; second <= 600; second += 1) gateway.tick(second);
  assert.ok(node.asked > 8 && node.asked < 13, `${node.asked}`);
  node.sessionSeconds = 1_000;
  for (let second = 601; second <= 700; second += 1) gateway.tick(second);
  await settled();
  down();
  const { asked } = node;
  gateway.tick(700 + 999);
  request(1);
  assert.deepEqual(answers, []);
  assert.equal(node.asked, asked);
});

test('what was sent and is answered is on the way until the module says so, and on none where the node is away', async () => {
  for (let rid = 1; rid <= 3; rid += 1) {
    request(rid);
    answerLatest();
  }
  assert.deepEqual([answers.length, onTheWay()], [3, 3]);
  gateway.tick(1);
  down();
  assert.equal(onTheWay(), 0);
  await up();
  assert.equal(onTheWay(), 3);
  // The mark was lost with the connection: it is sent again.
  const [, mark, place] = latest();
  assert.ok(mark instanceof Atom && mark.name === 'mark');
  const [peer] = gateway.cluster.nodes;
  assert.ok(peer !== undefined);
  gateway.taken(peer, place as number);
  assert.equal(onTheWay(), 0);
});

test('nothing is on the way to one that does not say what it took', async () => {
  await start('shell');
  for (let rid = 1; rid <= 100; rid += 1) {
    request(rid);
    answerLatest();
  }
  assert.deepEqual([answers.length, onTheWay()], [100, 0]);
});

test('an answer from before a break is not taken until its session was asked, and counted', async () => {
  request(1);
  const [connId] = latest();
  down();
  const bytes = encodeVersioned(tuple(connId as Term, 200, Buffer.from('answer')));
  gateway.deliver(connId as never, bytes, 0, bytes.length, PEER);
  assert.deepEqual([answers.length, gateway.counters.dropped.stale], [0, 1]);
  await up();
  gateway.deliver(connId as never, bytes, 0, bytes.length, PEER);
  assert.deepEqual(answers, ['1 200']);
});

const OTHER = 'other@localhost';

/** The node says that the session of the latest request is on the other one, to which it has no way. */
function noWay(body: string): void {
  const [connId] = latest();
  const bytes = encodeVersioned(
    tuple(connId as Term, new Atom('elsewhere'), new Atom(OTHER), Buffer.from(body)),
  );
  gateway.deliver(connId as never, bytes, 0, bytes.length, PEER);
}
const sentTo = (peer: string): string[] =>
  node.sent.flatMap(({ peer: to, term: [, what] }) =>
    to === peer ? [what instanceof Uint8Array ? Buffer.from(what).toString() : (what as Atom).name] : [],
  );

test('a node without a way to where the session is: the gateway has one', async () => {
  gateway.cluster.meet(OTHER);
  await node.up(OTHER);
  request(1);
  noWay('<body>1</body>');
  assert.deepEqual(sentTo(OTHER), ['<body>1</body>']);
  answerLatest();
  assert.deepEqual(answers, ['1 200']);
});

test('... what was only asked is asked there', async () => {
  gateway.cluster.meet(OTHER);
  await node.up(OTHER);
  request(1);
  noWay('');
  assert.deepEqual(sentTo(OTHER), ['held']);
  answerLatest();
  assert.deepEqual(answers, ['1 200']);
});

test('... it waits while that one is away, and may come back', async () => {
  request(1);
  noWay('<body>1</body>');
  assert.deepEqual(sentTo(OTHER), []);
  await node.up(OTHER);
  assert.deepEqual(sentTo(OTHER), ['<body>1</body>']);
  request(2);
  noWay('');
  node.down(OTHER);
  gateway.tick(WAIT);
  assert.deepEqual(answers, ['1 503', '2 503']);
});

test('... nobody has: it is no more, and its clients are told', (t) => {
  t.mock.timers.enable({ apis: ['setTimeout', 'setInterval'] });
  gateway.cluster.meet(OTHER);
  node.emit('unreachable', OTHER, new MegaphoneError('EPMD_NOT_REGISTERED', 'no such name'));
  request(1);
  noWay('<body>1</body>');
  for (const time of [50, 20_000]) t.mock.timers.tick(time);
  assert.deepEqual(answers, ['item-not-found']);
});

test('what a node may have passed on to one that is gone is asked for', () => {
  const [one] = gateway.cluster.nodes;
  assert.ok(one);
  const says = (...nodes: string[]): void =>
    gateway.cluster.tell(one, {
      nodes: new Set([PEER, ...nodes]),
      known: new Set([PEER, OTHER]),
      state: 'in_service',
      sessions: 1,
      weight: 100,
    });
  says(OTHER);
  request(1);
  request(2);
  answerLatest();
  node.sent.length = 0;
  says();
  assert.deepEqual(sentTo(PEER), ['held']);
});
