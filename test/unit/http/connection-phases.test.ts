/** Every phase of a connection and every event, as the tables in the header of src/http/connection.ts have them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Phase } from '../../../src/http/connection.js';
import { MAX_SKIPPED } from '../../../src/http/incoming.js';
import { headerTable, SAME } from '../../support/header-table.js';
import {
  BODY,
  CHUNKED,
  fullRoom,
  GET,
  HEAD,
  HEADER_TIMEOUT,
  KEEP_ALIVE_TIMEOUT,
  LARGE,
  lastOf,
  MAX_BODY,
  Machine,
  POST,
  REQUEST_TIMEOUT,
} from './machine.js';

const EXPECT = 'Expect: 100-continue\r\n';
/** As much of a body as is too large. */
const BEYOND = LARGE.slice(0, MAX_BODY + 5);

/** What is still to be sent of the request, by its parts; `bad` instead of them is no HTTP, and `large` has no end. */
interface Rest {
  readonly head: string;
  readonly body: string;
  readonly bad: string;
  readonly large: string;
}
const WHOLE: Rest = { head: HEAD + CHUNKED, body: BODY, bad: '\0', large: HEAD + CHUNKED + BEYOND };
const REST: Readonly<Record<Phase, Rest>> = {
  ahead: WHOLE,
  idle: WHOLE,
  unread: WHOLE,
  held: WHOLE,
  head: { head: CHUNKED, body: BODY, bad: '\0', large: CHUNKED + BEYOND },
  expecting: { head: '5', body: BODY.slice(1), bad: '\0', large: BEYOND },
  body: { head: 'l', body: BODY.slice(6), bad: 'llo.', large: `llo\r\n${BEYOND}` },
  skipped: {
    head: 'x',
    body: LARGE.slice(MAX_BODY + 6),
    bad: 'x'.repeat(30),
    large: `${'x'.repeat(9)}\r\nfffffff\r\n${'x'.repeat(MAX_SKIPPED)}`,
  },
  last: WHOLE,
  ended: WHOLE,
  closed: WHOLE,
};

/** How a connection gets there. `due` is held behind which it is, `unread` answers that the client does not read. */
const STATES: Readonly<Record<string, (machine: Machine) => void>> = {
  ahead: () => {},
  idle: (machine) => machine.send(GET),
  unread: (machine) => {
    machine.wire.isRead = false;
    machine.send(GET);
  },
  held: (machine) => machine.send(POST),
  'held, unread': (machine) => {
    machine.send(POST + POST);
    machine.turn();
    machine.wire.isRead = false;
    machine.answer();
  },
  head: (machine) => machine.send(HEAD),
  'head, due': (machine) => {
    machine.send(POST + HEAD);
    machine.turn();
  },
  expecting: (machine) => {
    machine.send(POST + HEAD + EXPECT + CHUNKED);
    machine.turn();
  },
  body: (machine) => machine.send(HEAD + CHUNKED + BODY.slice(0, 5)),
  'body, due': (machine) => {
    machine.send(POST + HEAD + CHUNKED + BODY.slice(0, 5));
    machine.turn();
  },
  skipped: (machine) => machine.send(HEAD + CHUNKED + BEYOND),
  'skipped, due': (machine) => {
    machine.send(POST + HEAD + CHUNKED + BEYOND);
    machine.turn();
  },
  last: (machine) => machine.send(lastOf(POST)),
  'last, unread': (machine) => {
    machine.send(POST + lastOf(POST));
    machine.turn();
    machine.wire.isRead = false;
    machine.answer();
  },
  ended: (machine) => machine.send(lastOf(GET)),
  'ended, unread': (machine) => {
    machine.wire.isRead = false;
    machine.send(lastOf(GET));
  },
  closed: (machine) => machine.connection.destroy(),
};

/** Longer than any phase lasts. */
const LONG = KEEP_ALIVE_TIMEOUT + REQUEST_TIMEOUT;

const EVENTS: Readonly<Record<string, (machine: Machine, rest: Rest) => void>> = {
  '1st byte': (machine, { head, bad }) => machine.send((head || bad).slice(0, 1)),
  head: (machine, { head }) => machine.send(head),
  all: (machine, { head, body }) => machine.send(head + body),
  'too large': (machine, { large }) => machine.send(large),
  'no HTTP': (machine, { bad }) => machine.send(bad),
  answered: (machine) => machine.answerAll(),
  time: (machine) => machine.wait(LONG),
  'time, read': (machine) => {
    machine.wire.read();
    machine.wait(LONG);
  },
  slow: (machine) => machine.connection.refuseSlow(),
  stop: (machine) => machine.stop(),
  stopWait: (machine) => machine.connection.stopWaiting(),
};

const { columns, rows } = headerTable('src/http/connection.ts', 'in phase');

test('the table has every phase and every event', () => {
  assert.deepEqual([...rows.map(([state]) => state), 'ended, unread', 'closed'], Object.keys(STATES));
  assert.deepEqual(columns, Object.keys(EVENTS));
  const inAll = new Set(Object.keys(STATES).map((state) => state.split(',')[0]));
  assert.deepEqual(inAll, new Set(Object.keys(REST)));
});

/** A machine in that state, and the phase's name. */
function inState(state: string): readonly [Machine, string] {
  const machine = new Machine();
  STATES[state]?.(machine);
  const [phase = ''] = state.split(',');
  assert.equal(machine.phase, phase);
  return [machine, phase];
}

const ended = rows.find(([state]) => state === 'ended')?.slice(1) ?? [];
for (const [state, ...cells] of [...rows, ['ended, unread', ...ended] as const]) {
  for (const [index, cell] of cells.entries()) {
    const event = columns[index] ?? '';
    test(`${state}: ${event} → ${cell}`, () => {
      const [machine, phase] = inState(state);
      const heard = machine.statuses.length;
      EVENTS[event]?.(machine, REST[machine.phase]);
      const expected = cell.replace(SAME, phase);
      const released = machine.released.length > 0 ? ['release'] : [];
      assert.equal([machine.phase, ...machine.statuses.slice(heard), ...released].join('+'), expected);
      assert.deepEqual(machine.released, [...new Set(machine.released)]);
      assert.equal(machine.wire.isEnded, machine.phase === 'ended' || state.startsWith('ended'));
      assert.equal(machine.wire.isDestroyed, machine.phase === 'closed');
    });
  }
}

for (const state of Object.keys(STATES)) {
  test(`${state}: cut or gone, nothing of it stays, and nothing leads out of that`, () => {
    for (const end of ['destroy', 'closed'] as const) {
      const [machine] = inState(state);
      machine.connection[end]();
      assert.equal(machine.wire.isDestroyed, end === 'destroy' || state === 'closed');
      machine.connection.closed();
      assert.equal(machine.room.guests.size, 0);
      assert.equal(machine.front.receiving.bytes, 0);
      machine.wire.isDestroyed = true;
      const { written } = machine.wire;
      for (const happen of Object.values(EVENTS)) happen(machine, REST.closed);
      assert.equal(machine.phase, 'closed');
      assert.equal(machine.wire.written, written);
    }
  });
}

test('a request that was refused before its end is skipped to that, and the last one where the gateway stops', () => {
  const alone = inState('skipped')[0];
  alone.stop();
  assert.equal(alone.phase, 'skipped');
  alone.send(REST.skipped.head + REST.skipped.body.slice(0, -1));
  assert.equal(alone.phase, 'skipped');
  alone.send('\n');
  assert.deepEqual([alone.phase, alone.wire.isEnded, alone.statuses], ['ended', true, [413]]);
  const due = inState('skipped, due')[0];
  due.stop();
  due.send(REST.skipped.head + REST.skipped.body);
  assert.equal(due.phase, 'last');
  due.answerAll();
  assert.deepEqual([due.phase, due.statuses], ['ended', [200, 413]]);
  // What comes behind it at once is read all the same.
  const behind = inState('skipped')[0];
  behind.stop();
  behind.send(REST.skipped.head + REST.skipped.body + POST);
  behind.turn();
  assert.deepEqual([behind.phase, behind.bodies.length], ['last', 1]);
});

test('of a body that is too large so much is skipped, and no byte more', () => {
  for (const bytes of [MAX_SKIPPED, MAX_SKIPPED + 1]) {
    const [machine] = inState('skipped');
    const rest = `${'x'.repeat(9)}\r\nfffffff\r\n`;
    machine.send(rest);
    for (let left = bytes - rest.length; left > 0; left -= 50_000)
      machine.send('x'.repeat(Math.min(left, 50_000)));
    assert.equal(machine.phase, bytes > MAX_SKIPPED ? 'ended' : 'skipped');
    assert.deepEqual(machine.statuses, [413]);
  }
});

test('behind the last request 1 MB is passed over, and the rest cuts it', () => {
  for (const state of ['last', 'ended']) {
    const [machine] = inState(state);
    const part = 'x'.repeat(50_000);
    for (let left = MAX_SKIPPED; left > 0; left -= part.length) machine.send(part.slice(0, left));
    assert.equal(machine.phase, state);
    machine.send('x');
    assert.deepEqual([machine.phase, machine.wire.isDestroyed], ['closed', true]);
  }
});

test('a body is invited once, when all answers before are written, and has its time from then on', () => {
  for (const head of [`${HEAD + EXPECT}Content-Length: 5\r\n\r\n`, HEAD + EXPECT + CHUNKED]) {
    const machine = new Machine();
    machine.send(POST + POST + POST);
    machine.turn();
    machine.turn();
    machine.send(head);
    machine.exchanges[2]?.answer(200, [], Buffer.from('c'));
    machine.wait(LONG);
    assert.deepEqual([machine.phase, machine.statuses], ['expecting', []]);
    machine.answer('a');
    assert.deepEqual([machine.phase, machine.statuses], ['expecting', [200]]);
    machine.answer('b');
    assert.deepEqual([machine.phase, machine.statuses], ['body', [200, 200, 200, 100]]);
    assert.match(machine.wire.written, /cHTTP\/1\.1 100 Continue\r\n\r\n$/);
    machine.wait(REQUEST_TIMEOUT);
    machine.send(head.includes('chunked') ? BODY : 'hello');
    assert.deepEqual([machine.phase, machine.bodies[3]], ['held', 'hello']);
    machine.exchanges[3]?.answer(200, [], Buffer.from('d'));
    assert.deepEqual([machine.phase, machine.statuses], ['idle', [200, 200, 200, 100, 200]]);
  }
  const late = inState('expecting')[0];
  late.answer();
  assert.equal(lasts(late), REQUEST_TIMEOUT + 1);
  // It did not wait for that: nor does its time.
  const early = inState('expecting')[0];
  early.wait(LONG);
  early.send('5\r\nh');
  assert.equal(lasts(early), REQUEST_TIMEOUT + 1);
  early.answer();
  assert.deepEqual(early.statuses, [200, 503]);
});

test('empty lines behind answers that are not read are not waited for', () => {
  const machine = inState('unread')[0];
  machine.send('\r\n');
  assert.equal(machine.wire.isPaused, false);
  machine.stop();
  assert.equal(machine.phase, 'ended');
});

/** Seconds until a phase is over, by its kind: what they are, beside the clock's own second. */
const TIMES: Readonly<Record<string, number>> = {
  ahead: KEEP_ALIVE_TIMEOUT,
  idle: KEEP_ALIVE_TIMEOUT,
  unread: REQUEST_TIMEOUT,
  held: Number.POSITIVE_INFINITY,
  'held, unread': REQUEST_TIMEOUT,
  head: HEADER_TIMEOUT,
  'head, due': HEADER_TIMEOUT,
  expecting: Number.POSITIVE_INFINITY,
  body: REQUEST_TIMEOUT,
  'body, due': REQUEST_TIMEOUT,
  skipped: REQUEST_TIMEOUT,
  'skipped, due': REQUEST_TIMEOUT,
  last: Number.POSITIVE_INFINITY,
  'last, unread': REQUEST_TIMEOUT,
  ended: 2,
  'ended, unread': REQUEST_TIMEOUT,
  closed: Number.POSITIVE_INFINITY,
};

/** Seconds until it leaves its phase by itself, and no more than a day. */
function lasts(machine: Machine): number {
  const { phase } = machine;
  let seconds = 0;
  while (machine.phase === phase && seconds < 86_400) {
    machine.wait(1);
    seconds += 1;
  }
  return seconds < 86_400 ? seconds : Number.POSITIVE_INFINITY;
}

for (const [state, seconds] of Object.entries(TIMES)) {
  test(`${state} lasts ${seconds} s`, () => {
    const machine = new Machine();
    STATES[state]?.(machine);
    assert.equal(lasts(machine), seconds + 1);
  });
}

test('the time of a body runs from its first byte, and that of unread answers from the first one', () => {
  const slow = new Machine();
  slow.send(HEAD);
  slow.wait(8);
  slow.send(CHUNKED);
  assert.equal(lasts(slow), REQUEST_TIMEOUT + 1 - 8);
  const still = new Machine();
  still.send(POST + POST);
  still.turn();
  still.wire.isRead = false;
  still.answer();
  still.wait(20);
  still.answer();
  assert.equal(still.phase, 'unread');
  assert.equal(lasts(still), REQUEST_TIMEOUT + 1 - 20);
  // Had it read the first one, the second would have had its own time.
  const slower = new Machine();
  slower.send(POST + POST);
  slower.turn();
  slower.wire.isRead = false;
  slower.answer();
  slower.wait(20);
  slower.wire.read();
  slower.wire.isRead = false;
  slower.answer();
  assert.equal(lasts(slower), REQUEST_TIMEOUT + 1);
});

test('where there is no room it waits as long as for a head, and hears 503 to whatever it asks', () => {
  const silent = new Machine(fullRoom());
  assert.equal(lasts(silent), HEADER_TIMEOUT + 1);
  const asking = new Machine(fullRoom());
  asking.send(POST);
  assert.equal([asking.phase, ...asking.statuses].join('+'), 'ended+503');
  const stopped = new Machine(fullRoom());
  stopped.connection.stopWaiting();
  // Each is counted once, whatever it heard, even if it has to make room.
  for (const machine of [silent, asking, stopped, new Machine(fullRoom())]) {
    machine.connection.destroy();
    assert.equal(machine.front.counters.refused.overload, 1);
  }
});

test('what comes behind unread answers is read when those are, a request a turn', () => {
  const machine = new Machine();
  machine.wire.isRead = false;
  machine.send(GET);
  machine.send(POST + POST + HEAD);
  assert.equal(machine.wire.isPaused, true);
  machine.turn();
  assert.deepEqual(machine.bodies, []);
  machine.wire.read();
  machine.turn();
  assert.deepEqual([machine.phase, machine.bodies.length], ['held', 1]);
  // A request that waits to be read is one that the connection is still there for.
  machine.stop();
  assert.equal(machine.phase, 'held');
  machine.turn();
  assert.deepEqual([machine.phase, machine.bodies.length], ['last', 2]);
  assert.equal(machine.wire.isPaused, false);
});

test('who asks more than eight times without waiting is cut', () => {
  const machine = new Machine();
  machine.send(POST.repeat(9));
  for (let i = 0; i < 8; i += 1) machine.turn();
  assert.deepEqual([machine.phase, machine.bodies.length, machine.wire.isDestroyed], ['closed', 8, true]);
  machine.connection.closed();
  assert.deepEqual(machine.gone, [1, 2, 3, 4, 5, 6, 7, 8]);
});
