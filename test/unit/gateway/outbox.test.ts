/** What goes to a node: each request by the table in the header of src/gateway/outbox.ts, and all of them whatever breaks. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { BodyBudget, Outbox } from '../../../src/gateway/outbox.js';
import { headerTable, NEVER, SAME } from '../../support/header-table.js';

const COST = 512;
/** In ticks of the clock of turns. */
const clock = { now: 0, since: (then: number): number => clock.now - then };
const body = (slot: number): Buffer => Buffer.from(`body ${slot}`);

/** What the budget can still hold, in bodies of no bytes that wait. */
function room(budget: BodyBudget): number {
  const empty = Buffer.alloc(0);
  let count = 0;
  while (budget.takeToWait(empty)) count += 1;
  for (let i = 0; i < count; i += 1) budget.give(empty);
  return count;
}

const SLOT = 1;
const BODY = Buffer.from('body');

/** How the request gets there. */
const STATES: Readonly<Record<string, (outbox: Outbox) => void>> = {
  none: () => {},
  waiting: (outbox) => outbox.wait(SLOT, BODY),
  question: (outbox) => {
    outbox.sentOther(SLOT);
    outbox.broken([SLOT]);
  },
  sent: (outbox) => outbox.sent(SLOT, BODY),
};

/** Behind a comma is what is so before it happens. */
const EVENTS: Readonly<Record<string, (outbox: Outbox, budget: BodyBudget) => void>> = {
  wait: (outbox) => outbox.wait(SLOT, BODY),
  'wait, no room': (outbox) => outbox.wait(SLOT, BODY),
  sent: (outbox) => outbox.sent(SLOT, BODY),
  'sent, no room': (outbox) => outbox.sent(SLOT, BODY),
  sentOther: (outbox) => outbox.sentOther(SLOT),
  taken: (outbox) => outbox.taken(outbox.markDue(true), clock),
  broken: (outbox) => outbox.broken([]),
  'broken, asked': (outbox) => outbox.broken([SLOT]),
  ask: (outbox) => outbox.ask(SLOT),
  handOver: (outbox, budget) => {
    const [before, other] = [outbox.waiting.get(SLOT), new Outbox(budget)];
    outbox.handOver(SLOT, other);
    assert.deepEqual([...other.waiting], [[SLOT, before]]);
    other.forget(SLOT);
  },
  forget: (outbox) => outbox.forget(SLOT),
};

function stateOf(outbox: Outbox): string {
  if (!outbox.waiting.has(SLOT)) return outbox.hasBody(SLOT) ? 'sent' : 'none';
  if (!outbox.hasBody(SLOT)) return 'question';
  assert.deepEqual(outbox.waiting.get(SLOT), BODY);
  return 'waiting';
}

const { columns, rows } = headerTable('src/gateway/outbox.ts', 'event');

test('the table has a row for each event and a column for each state', () => {
  assert.deepEqual(columns, Object.keys(STATES));
  assert.deepEqual(
    rows.map(([event]) => event),
    Object.keys(EVENTS),
  );
});

for (const [event, ...cells] of rows) {
  test(`${event} → ${cells.join(', ')}`, () => {
    for (const [index, state] of columns.entries()) {
      const cell = cells[index];
      if (cell === NEVER) continue;
      const budget = new BodyBudget(100 * COST);
      const all = room(budget);
      const outbox = new Outbox(budget);
      STATES[state]?.(outbox);
      assert.equal(stateOf(outbox), state);
      const left = event.endsWith('no room') ? room(budget) : 0;
      const empty = Buffer.alloc(0);
      for (let i = 0; i < left; i += 1) budget.takeToWait(empty);
      EVENTS[event]?.(outbox, budget);
      assert.equal(stateOf(outbox), cell === SAME ? state : cell, `${state}: ${event}`);
      for (let i = 0; i < left; i += 1) budget.give(empty);
      outbox.forget(SLOT);
      assert.equal(room(budget), all, `${state}: ${event}: the memory of it comes back`);
    }
  });
}

test('half of the memory is for those alone that wait', () => {
  const budget = new BodyBudget(10 * COST);
  const outbox = new Outbox(budget);
  const empty = Buffer.alloc(0);
  for (let slot = 1; slot <= 20; slot += 1) outbox.sent(slot, empty);
  assert.deepEqual([outbox.hasBody(5), outbox.hasBody(6), outbox.onTheWay], [true, false, 20]);
  for (let slot = 21; slot <= 25; slot += 1) assert.equal(outbox.wait(slot, empty), true);
  assert.equal(outbox.wait(26, empty), false);
});

/**
 * A model of both ends: the connection keeps the order, breaks lose a tail of what is on it and any answers, the module takes
 * what comes. Slots are never used twice here.
 */
test('whatever breaks when: nothing is forgotten, nothing is known as taken that was not, and all memory comes back', () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.constant({ type: 'request' as const }) },
    { weight: 2, arbitrary: fc.constant({ type: 'mark' as const }) },
    { weight: 4, arbitrary: fc.record({ type: fc.constant('deliver' as const), count: fc.nat(4) }) },
    { weight: 2, arbitrary: fc.record({ type: fc.constant('end' as const), pick: fc.nat(1000) }) },
    { weight: 1, arbitrary: fc.constant({ type: 'down' as const }) },
    { weight: 2, arbitrary: fc.constant({ type: 'up' as const }) },
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 200 }), (steps) => {
      const budget = new BodyBudget(1000 * COST);
      const before = room(budget);
      const outbox = new Outbox(budget);
      type Item = { slot: number; isQuestion: boolean } | { mark: number };
      let wire: Item[] = [];
      let isUp = true;
      let next = 1;
      const open = new Set<number>();
      /** Slots whose request the module took at least once. */
      const taken = new Set<number>();
      const sendWaiting = (): void => {
        for (const [slot, waiting] of outbox.waiting) {
          if (waiting === undefined) outbox.sentOther(slot);
          else outbox.sent(slot, waiting);
          if (waiting !== undefined) assert.deepEqual(waiting, body(slot));
          wire.push({ slot, isQuestion: waiting === undefined });
        }
        assert.equal(outbox.waiting.size, 0);
      };
      const mark = (): void => {
        const place = outbox.markDue(true);
        if (place === 0) return;
        outbox.marked(place, clock);
        wire.push({ mark: place });
      };
      const deliver = (count: number): void => {
        for (const item of wire.splice(0, count)) {
          if ('mark' in item) outbox.taken(item.mark, clock);
          // A question about what never came is answered with 503: here none may be.
          else if (item.isQuestion) assert.ok(taken.has(item.slot));
          else taken.add(item.slot);
        }
      };
      const down = (): void => {
        isUp = false;
        wire = [];
        outbox.broken([...open].filter((slot) => !outbox.hasBody(slot)));
      };
      const up = (): void => {
        isUp = true;
        mark();
        sendWaiting();
      };
      for (const each of steps) {
        switch (each.type) {
          case 'request': {
            const slot = next;
            next += 1;
            open.add(slot);
            if (isUp) {
              outbox.sent(slot, body(slot));
              wire.push({ slot, isQuestion: false });
            } else {
              assert.ok(outbox.wait(slot, body(slot)));
            }
            break;
          }
          case 'mark':
            if (isUp) mark();
            break;
          case 'deliver':
            deliver(each.count);
            break;
          case 'end': {
            const slot = [...open][each.pick % Math.max(1, open.size)];
            if (slot === undefined) break;
            outbox.forget(slot);
            open.delete(slot);
            break;
          }
          case 'down':
            if (isUp) down();
            break;
          case 'up':
            if (!isUp) up();
            break;
        }
        // Who waits while the node is away is one of those that are open.
        for (const slot of outbox.waiting.keys()) assert.ok(open.has(slot));
        if (!isUp) assert.equal(outbox.waiting.size, open.size);
        assert.ok(outbox.onTheWay >= 0);
      }
      if (!isUp) up();
      mark();
      deliver(wire.length);
      assert.equal(outbox.onTheWay, 0);
      for (const slot of open) assert.ok(taken.has(slot));
      assert.equal(room(budget), before);
    }),
  );
});

test('a mark that was on its way when all broke may still be said, and holds for what came before it alone', () => {
  const outbox = new Outbox(new BodyBudget(1000 * COST));
  outbox.sent(1, body(1));
  const old = outbox.markDue(true);
  outbox.marked(old, clock);
  outbox.broken([]);
  assert.deepEqual([...outbox.waiting.keys()], [1]);
  outbox.sent(1, outbox.waiting.get(1) ?? body(0));
  outbox.taken(old, clock);
  assert.deepEqual([outbox.onTheWay, outbox.hasBody(1)], [1, true]);
  for (const place of [3, -1, 0.5]) outbox.taken(place, clock);
  assert.equal(outbox.onTheWay, 1);
});

test('a module that comes to no mark for seconds is silent, until it does, or until there is a break', () => {
  const outbox = new Outbox(new BodyBudget(100 * COST));
  const seconds = (count: number): boolean => {
    for (let second = 0; second < count; second += 1) outbox.tick();
    return outbox.isSilent;
  };
  assert.equal(seconds(10), false, 'nothing was asked');
  outbox.sent(SLOT, BODY);
  assert.equal(seconds(10), false, 'nor now');
  outbox.marked(1, clock);
  assert.equal(seconds(2), false);
  assert.equal(seconds(1), true);
  outbox.taken(1, clock);
  assert.equal(outbox.isSilent, false);
  outbox.sent(SLOT, BODY);
  outbox.marked(2, clock);
  assert.equal(seconds(3), true);
  outbox.broken([]);
  assert.equal(seconds(1), false);
});

test('it is timed from a mark to the word that the module came to it, one at a time, and not across a break', () => {
  const outbox = new Outbox(new BodyBudget(100 * COST));
  const delays = (): unknown => {
    const { sum, ...counts } = outbox.delay.report();
    return [sum, Object.entries(counts).filter(([, count]) => count > 0)];
  };
  const send = (place: number, at: number): void => {
    clock.now = at;
    outbox.sent(SLOT, BODY);
    outbox.marked(place, clock);
  };
  const taken = (place: number, at: number): void => {
    clock.now = at;
    outbox.taken(place, clock);
  };
  send(1, 1_000);
  send(2, 2_000);
  send(3, 2_500);
  taken(2, 3_000);
  assert.deepEqual(delays(), [0.2, [['0.25', 1]]], 'the first mark was 2000 ticks before');
  taken(3, 4_000);
  assert.deepEqual(delays(), [0.2, [['0.25', 1]]], 'the third was not timed');
  send(4, 5_000);
  outbox.broken([]);
  send(5, 9_000);
  taken(5, 9_004);
  assert.deepEqual(delays(), [
    0.2004,
    [
      ['0.001', 1],
      ['0.25', 1],
    ],
  ]);
});
