/**
 * A node's standing: in each, whatever can happen happens once, and the table says where that leads.
 *
 *   event                       apart   absent  asked   foreign  plain   module
 *   comes with the module       module  module  module  module   module  module
 *   comes with a stranger       plain   plain   plain   plain    plain   plain
 *   comes with a slow rex       absent  absent  absent  absent   absent  absent
 *   comes without telling ends  plain   plain   plain   plain    plain   plain
 *   the connection goes         ·       apart   apart   apart    apart   apart
 *   cannot be reached           ·       ·       ·       ·        ·       ·
 *   a second passes             ·       module  ·       ·        ·       ·
 *   crashes, and is back        ·       ·       module  module   module  module
 *   crashes, and is not back    ·       ·       absent  absent   absent  absent
 *
 * A dot: it stays. A node that is connected already goes before it comes again.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { MegaphoneError } from '../../../src/errors.js';
import { ClusterNode } from '../../../src/gateway/cluster-node.js';
import { BodyBudget } from '../../../src/gateway/outbox.js';
import { headerTable, SAME } from '../../support/header-table.js';
import { FakeNode, type Registered, settled } from './fake-node.js';

const PEER = 'ejabberd@localhost';

/** What there is to find where the node comes into that standing. */
const STATES: Readonly<Record<string, Registered | undefined>> = {
  apart: undefined,
  absent: 'nobody',
  asked: 'mute',
  foreign: 'other module',
  plain: 'shell',
  module: 'module',
};

type Event = (fake: FakeNode, node: ClusterNode) => void | Promise<void>;

const EVENTS: Readonly<Record<string, Event>> = {
  'comes with the module': (fake) => fake.up(PEER),
  'comes with a stranger': (fake) => fake.up(PEER, 'stranger'),
  'comes with a slow rex': (fake) => fake.up(PEER, 'slow'),
  'comes without telling ends': (fake) => fake.up(PEER, 'mute', false),
  'the connection goes': (fake) => fake.down(PEER),
  'cannot be reached': (_, node) => node.unreachable(new MegaphoneError('NODE_UNREACHABLE', 'no way')),
  'a second passes': (fake, node) => {
    fake.register(PEER, 'module');
    node.tick();
    return settled();
  },
  'crashes, and is back': (fake) => fake.crash(PEER, 'module'),
  'crashes, and is not back': (fake) => fake.crash(PEER, 'nobody'),
};

const NONE = { inService() {}, outOfService() {}, connectionLost() {}, died() {} };

async function open(registered: Registered | undefined, listener = NONE, clock = { now: 0 }) {
  const fake = new FakeNode();
  const log = pino({ level: 'silent' });
  const node = new ClusterNode(PEER, new BodyBudget(1e6), fake.asNode, clock, log, listener);
  fake.on('up', () => node.up());
  fake.on('down', (_, error) => node.down(error));
  if (registered !== undefined) await fake.up(PEER, registered);
  return { fake, node };
}

function standing(fake: FakeNode, node: ClusterNode): string {
  if (node.kind !== undefined) return node.kind;
  if (!fake.isUp(PEER)) return 'apart';
  if (!fake.isMonitored(PEER)) return 'absent';
  return node.reason.includes('speaks version') ? 'foreign' : 'asked';
}

const { columns, rows } = headerTable('test/unit/gateway/cluster-node.test.ts', 'event');

test('the table has a row for each event and a column for each standing', () => {
  assert.deepEqual(columns, Object.keys(STATES));
  assert.deepEqual(
    rows.map(([event]) => event),
    Object.keys(EVENTS),
  );
});

for (const [event, ...cells] of rows) {
  test(event, async () => {
    for (const [index, state] of columns.entries()) {
      const { fake, node } = await open(STATES[state]);
      assert.equal(standing(fake, node), state);
      await EVENTS[event]?.(fake, node);
      const to = cells[index];
      assert.equal(standing(fake, node), to === SAME ? state : to, `${state}: ${event}`);
      // Empty in service, and only there.
      assert.equal(node.reason === '', node.kind !== undefined);
    }
  });
}

test('its listener hears of each time it comes into service and goes out of it, once', async () => {
  const heard: string[] = [];
  const { fake } = await open('module', {
    inService: (): void => void heard.push('in'),
    outOfService: (): void => void heard.push('out'),
    connectionLost: (): void => void heard.push('lost'),
    died: (): void => void heard.push('died'),
  });
  await fake.crash(PEER, 'nobody');
  fake.down(PEER);
  await fake.up(PEER, 'shell');
  fake.down(PEER);
  assert.deepEqual(heard, ['in', 'out', 'lost', 'in', 'out', 'lost']);
});

test('an answer to what was asked before a break is of no account', async () => {
  const { fake, node } = await open(undefined);
  const before = fake.up(PEER, 'module');
  await fake.up(PEER, 'mute');
  await before;
  assert.equal(standing(fake, node), 'asked');
});

test('it goes without new sessions at its word, but not for ever, and not when it is back', async () => {
  const clock = { now: 100 };
  const { fake, node } = await open('module', NONE, clock);
  node.room.full(1_000_000_000);
  assert.deepEqual([node.takesRequests, node.takesSessions], [true, false]);
  clock.now += 59;
  assert.ok(node.room.isClosed);
  clock.now += 1;
  assert.ok(node.takesSessions);
  node.room.full(2);
  await fake.crash(PEER, 'module');
  assert.ok(node.takesSessions);
});
