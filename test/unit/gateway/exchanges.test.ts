/**
 * The life of an exchange as its client and its node see it: in each state whatever can happen happens once, and the
 * table says what the client hears and what the node is sent; a dot: nothing.
 *
 *   event                           waiting         behind          starting    sent            unsure          lost            lost, behind    unsure, taken   lost, taken
 *   the module is there again       request         ·               ·           ·               request         request         ·               question        question
 *   a shell is there instead        request         ·               ·           ·               request         request         ·               503             503
 *   there again, but reads nothing  503             ·               ·           ·               503             503             ·               503             503
 *   what was sent is taken          ·               request         ·           ·               ·               ·               request         ·               ·
 *   answer                          dropped         dropped         200         200             200             dropped         dropped         200             dropped
 *   the client leaves               ·               ·               closed      closed          ·               ·               ·               ·               ·
 *   the time to answer is over      503             504             closed 504  closed 504      503             503             504             503             503
 *   the time to come back is over   503             ·               ·           ·               503             503             ·               503             503
 *   the session is killed           item-not-found  item-not-found  ·           item-not-found  item-not-found  item-not-found  item-not-found  item-not-found  item-not-found
 *   its client is to go elsewhere   ·               ·               ·           release         ·               ·               ·               ·               ·
 *   the module crashes              ·               ·               503         ·               ·               ·               ·               ·               ·
 *   the connection breaks           ·               ·               503         ·               ·               ·               ·               ·               ·
 *   the gateway stops               503             503             closed 503  closed 503      503             503             503             503             503
 */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { pino } from 'pino';
import { encodeVersioned } from '../../../src/etf/encode.js';
import { Atom, Pid, type Term, tuple } from '../../../src/etf/terms.js';
import { Gateway } from '../../../src/gateway/gateway.js';
import { tagOf } from '../../../src/gateway/sid.js';
import { Counters } from '../../../src/observe/counters.js';
import { headerTable, SAME } from '../../support/header-table.js';
import { ask, type FakeRequest } from './fake-client.js';
import { FakeNode, OPTIONS, type Registered, settled } from './fake-node.js';
import './never.js';

const PEER = 'ejabberd@localhost';
const SID = `${tagOf(PEER)}.random`;
const RETURN_WAIT = 10;
const ANSWER_TIMEOUT = 30;
/** Of what is done to many, the first part. */
const STEP_MS = 50;

beforeEach(() => mock.timers.enable({ apis: ['setInterval', 'setTimeout'] }));
afterEach(() => mock.timers.reset());

interface Scene {
  readonly node: FakeNode;
  readonly gateway: Gateway;
  readonly request: FakeRequest;
}

/** Each leaves one exchange, of the last request, in the state of its name. */
const STATES: Readonly<Record<string, (scene: Omit<Scene, 'request'>) => Promise<FakeRequest>>> = {
  waiting: async ({ node, gateway }) => {
    node.down(PEER);
    return ask(gateway, 5, SID);
  },
  behind: async ({ node, gateway }) => {
    fallBehind(node, gateway);
    return ask(gateway, 5, SID);
  },
  starting: async ({ gateway }) => ask(gateway, 5, undefined),
  sent: async ({ gateway }) => ask(gateway, 5, SID),
  unsure: async ({ node, gateway }) => {
    const request = ask(gateway, 5, SID);
    await node.crash(PEER, 'nobody');
    return request;
  },
  lost: async ({ node, gateway }) => {
    const request = ask(gateway, 5, SID);
    node.down(PEER);
    return request;
  },
  'lost, behind': async ({ node, gateway }) => {
    const request = ask(gateway, 5, SID);
    fallBehind(node, gateway);
    await node.up(PEER);
    return request;
  },
  // The module has taken it: nothing of it is here any more.
  'unsure, taken': async ({ node, gateway }) => {
    const request = ask(gateway, 5, SID);
    takeAll(node, gateway);
    await node.crash(PEER, 'nobody');
    return request;
  },
  'lost, taken': async ({ node, gateway }) => {
    const request = ask(gateway, 5, SID);
    takeAll(node, gateway);
    node.down(PEER);
    return request;
  },
};

/** The node has not taken more than may be on the way to it. */
function fallBehind(node: FakeNode, gateway: Gateway): void {
  while (gateway.cluster.nodes[0]?.takesRequests) gateway.closed(ask(gateway, 1, SID).slot);
  node.ended.splice(0);
}

const EVENTS: Readonly<Record<string, (scene: Scene) => void | Promise<void>>> = {
  'the module is there again': (scene) => isThere(scene, 'module'),
  'a shell is there instead': (scene) => isThere(scene, 'shell'),
  'there again, but reads nothing': async (scene) => {
    scene.node.reads(PEER, false);
    await isThere(scene, 'module');
  },
  'what was sent is taken': ({ node, gateway }) => takeAll(node, gateway),
  answer,
  'the client leaves': ({ gateway, request }) => gateway.closed(request.slot),
  'the time to answer is over': ({ gateway }) => gateway.tick(ANSWER_TIMEOUT),
  'the time to come back is over': ({ gateway }) => gateway.tick(RETURN_WAIT),
  'the session is killed': ({ gateway }) => {
    gateway.gone(new Set([SID]));
    mock.timers.tick(STEP_MS);
  },
  'its client is to go elsewhere': ({ gateway, request }) => gateway.release(request.slot),
  'the module crashes': ({ node }) => node.crash(PEER, 'nobody'),
  'the connection breaks': ({ node }) => node.down(PEER),
  'the gateway stops': ({ gateway }) => gateway.stop(),
};

/** Where the node is in service already, nothing happens. */
async function isThere({ node, gateway }: Scene, registered: Registered): Promise<void> {
  node.register(PEER, registered);
  if (!node.isUp(PEER)) await node.up(PEER, registered);
  gateway.tick(0);
  await settled();
}

function takeAll(node: FakeNode, gateway: Gateway, now = 0): void {
  gateway.tick(now);
  const marks = node.sent.filter(({ term }) => kindOf(term) === 'mark');
  const [peer] = gateway.cluster.nodes;
  assert.ok(peer);
  gateway.taken(peer, Number(marks.at(-1)?.term[2] ?? 0));
}

/** Where the exchange was never sent nobody can know its ConnId, and yet it must not be answered. */
function answer({ node, gateway, request: { slot } }: Scene): void {
  const connId = new Pid(node.name, slot, 0, node.creation);
  const bytes = encodeVersioned(tuple(connId, 200, Buffer.from('answer')));
  gateway.deliver(connId, bytes, 0, bytes.length, PEER);
}

const kindOf = (term: readonly Term[]): string => {
  const [, second] = term;
  return second instanceof Atom ? (second.name === 'held' ? 'question' : second.name) : 'request';
};

function gatewayOn(node: FakeNode, counters: Counters): Gateway {
  const options = {
    ...OPTIONS,
    nodes: [{ name: PEER }],
    answerTimeout: ANSWER_TIMEOUT,
    nodeReturnWait: RETURN_WAIT,
  };
  const gateway = new Gateway(node.asNode, options, counters, pino({ level: 'silent' }));
  gateway.tick(0);
  return gateway;
}

async function outcome(state: string, event: string): Promise<string> {
  const node = new FakeNode();
  const counters = new Counters();
  const gateway = gatewayOn(node, counters);
  await node.up(PEER);
  const request = (await STATES[state]?.({ node, gateway })) ?? assert.fail(state);
  assert.equal(gateway.openExchanges, 1, state);
  const { closed } = counters;
  const before = node.sent.length;
  await EVENTS[event]?.({ node, gateway, request });
  const said = node.sent.slice(before).map(({ term }) => kindOf(term));
  const dropped = counters.dropped.stale > 0 ? ['dropped'] : [];
  // An exchange is over where its client has heard or has left, and nowhere else.
  const isOver = request.heard.length > 0 || counters.closed > closed;
  assert.equal(gateway.openExchanges, isOver ? 0 : 1, `${state}: ${event}`);
  assert.equal(node.ended.length, isOver ? 1 : 0);
  return [...said.filter((kind) => kind !== 'mark'), ...dropped, ...request.heard].join(' ') || SAME;
}

const { columns, rows } = headerTable('test/unit/gateway/exchanges.test.ts', 'event');

test('the table has a row for each event and a column for each state', () => {
  assert.deepEqual(columns, Object.keys(STATES));
  assert.deepEqual(
    rows.map(([event]) => event),
    Object.keys(EVENTS),
  );
});

for (const [event, ...cells] of rows) {
  test(event, async () => {
    for (const [index, state] of columns.entries()) {
      assert.equal(await outcome(state, event), cells[index], `${state}: ${event}`);
    }
  });
}

test('what its node does not read is refused at once', async () => {
  const node = new FakeNode();
  const counters = new Counters();
  const gateway = gatewayOn(node, counters);
  await node.up(PEER);
  node.reads(PEER, false);
  assert.deepEqual(ask(gateway, 5, undefined), { rid: 5, sid: undefined, slot: 0, heard: ['503'] });
  assert.deepEqual(ask(gateway, 5, SID), { rid: 5, sid: SID, slot: 0, heard: ['503'] });
  assert.equal(counters.refused.overload, 2);
});

test('whoever comes after a shell that had the request is told nothing of it', async () => {
  for (const afterwards of ['nobody', 'other module', 'mute'] as const) {
    for (const event of ['the client leaves', 'the time to answer is over', 'the gateway stops']) {
      const node = new FakeNode();
      const gateway = gatewayOn(node, new Counters());
      await node.up(PEER, 'shell');
      const request = ask(gateway, 5, SID);
      await node.crash(PEER, afterwards);
      const before = node.sent.length;
      await EVENTS[event]?.({ node, gateway, request });
      assert.equal(gateway.openExchanges, 0, event);
      assert.deepEqual(node.sent.slice(before), [], `${afterwards}: ${event}`);
    }
  }
});

test('what waited for its node to catch up has no more time to be answered than others', async () => {
  const node = new FakeNode();
  const gateway = gatewayOn(node, new Counters());
  await node.up(PEER);
  fallBehind(node, gateway);
  const request = ask(gateway, 5, SID);
  const before = node.sent.length;
  takeAll(node, gateway, ANSWER_TIMEOUT - 1);
  assert.ok(node.sent.slice(before).some(({ term }) => kindOf(term) === 'request'));
  assert.deepEqual(request.heard, []);
  gateway.tick(ANSWER_TIMEOUT);
  assert.deepEqual(request.heard, ['504']);
});
