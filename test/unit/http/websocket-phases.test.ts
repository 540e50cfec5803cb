/** Every phase of a WebSocket and every event, as the table in the header of src/http/websocket-connection.ts has them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { FRAMES } from '../../../src/http/websocket-connection.js';
import { headerTable, NEVER, SAME } from '../../support/header-table.js';
import { close, frame, ping, TEXT, text } from './frames.js';
import { MAX_BODY, PING_INTERVAL, REQUEST_TIMEOUT } from './machine.js';
import { WebSocketMachine } from './websocket-machine.js';

const NOTHING = Buffer.alloc(0);

function open(): WebSocketMachine {
  const machine = new WebSocketMachine();
  machine.accept();
  return machine;
}

/** How a WebSocket gets there. */
const STATES: Readonly<Record<string, () => WebSocketMachine>> = {
  asked: () => new WebSocketMachine(),
  open,
  'open, silent': () => {
    const machine = open();
    machine.wait(PING_INTERVAL + 1);
    return machine;
  },
  'open, part': () => {
    const machine = open();
    machine.send(frame(TEXT, 'hel', 0));
    return machine;
  },
  'open, rest': () => {
    const machine = open();
    machine.send(Buffer.concat(Array.from({ length: 2 * FRAMES }, () => text('hello'))));
    return machine;
  },
  'open, unread': () => {
    const machine = open();
    machine.wire.isRead = false;
    machine.socket.send(Buffer.from('hello'), 0);
    return machine;
  },
  full: () => {
    const machine = open();
    machine.sockets.takesMore = false;
    machine.send(text('hello'));
    return machine;
  },
  closing: () => {
    const machine = open();
    machine.socket.close(1000, NOTHING);
    return machine;
  },
  ended: () => {
    const machine = open();
    machine.send(close(1000));
    return machine;
  },
};

/** Longer than any phase lasts. */
const LONG = PING_INTERVAL + REQUEST_TIMEOUT;

const EVENTS: Readonly<Record<string, (machine: WebSocketMachine) => void>> = {
  accept: ({ socket }) => socket.accept(),
  refuse: ({ socket }) => socket.refuse(403, [], NOTHING),
  text: (machine) => machine.send(textIn(machine)),
  more: (machine) => {
    machine.sockets.takesMore = false;
    machine.send(textIn(machine));
  },
  ping: (machine) => machine.send(ping('p')),
  Close: (machine) => machine.send(close(1000)),
  fault: (machine) => machine.send(frame(7, '')),
  send: ({ socket }) => socket.send(Buffer.from('hi'), 0),
  resume: ({ socket }) => socket.resume(),
  close: ({ socket }) => socket.close(1000, NOTHING),
  time: (machine) => machine.wait(LONG),
  slow: ({ socket }) => socket.refuseSlow(),
  stop: ({ socket }) => socket.stop(),
  stopWait: ({ socket }) => socket.stopWaiting(),
};

/** A whole message, or the rest of the one that is coming in. */
const textIn = ({ socket }: WebSocketMachine): Buffer =>
  socket.incomplete === undefined ? text('hello') : frame(0, 'lo');

const { columns, rows } = headerTable('src/http/websocket-connection.ts', 'in phase');

test('the table has every phase and every event', () => {
  assert.deepEqual(
    rows.map(([state]) => state),
    Object.keys(STATES),
  );
  assert.deepEqual(columns, Object.keys(EVENTS));
});

function inState(state: string): readonly [WebSocketMachine, string] {
  const machine = STATES[state]?.() ?? assert.fail(state);
  const [phase = ''] = state.split(',');
  assert.equal(machine.phase, phase);
  machine.heard();
  return [machine, phase];
}

for (const [state, ...cells] of rows) {
  for (const [index, cell] of cells.entries()) {
    const event = columns[index] ?? '';
    if (cell === NEVER) continue;
    test(`${state}: ${event} → ${cell}`, () => {
      const [machine, phase] = inState(state);
      const { ends } = machine.sockets;
      const told = ends.length;
      EVENTS[event]?.(machine);
      const heard = machine.heard();
      assert.equal([machine.phase, ...heard].join('+'), cell === SAME ? phase : cell);
      assert.equal(machine.wire.isEnded, machine.phase === 'ended' || state === 'ended');
      assert.equal(machine.wire.isDestroyed, machine.phase === 'closed');
      // The gateway hears what the client heard, or 1006, and nothing of what it did itself.
      const isOver = ['closing', 'ended', 'closed'].includes(machine.phase);
      const byItself = ['refuse', 'close'].includes(event) || ['closing', 'ended'].includes(phase);
      const code = heard.map(Number).find((each) => each >= 1000) ?? 1006;
      assert.deepEqual(ends.slice(told), isOver && !byItself ? [[1, code]] : []);
    });
  }
}

for (const state of Object.keys(STATES)) {
  test(`${state}: cut or gone, nothing of it stays, and nothing leads out of that`, () => {
    for (const end of ['destroy', 'closed'] as const) {
      const [machine] = inState(state);
      const wasTold = machine.sockets.ends.length > 0 || state === 'closing';
      machine.socket[end]();
      assert.equal(machine.wire.isDestroyed, end === 'destroy');
      if (end === 'destroy') machine.socket.closed();
      const { room, front } = machine.http;
      assert.deepEqual([room.guests.size, front.receiving.bytes], [0, 0]);
      if (!wasTold) assert.deepEqual(machine.sockets.ends, [[1, 1006]]);
      machine.wire.isDestroyed = true;
      const { written } = machine.wire;
      for (const happen of Object.values(EVENTS)) happen(machine);
      machine.turns();
      machine.tick();
      assert.equal(machine.phase, 'closed');
      assert.equal(machine.wire.written, written);
    }
  });
}

/** Seconds until it leaves its phase, or pings, by itself. */
function lasts(machine: WebSocketMachine): number {
  const { phase } = machine;
  const { written } = machine.wire;
  let seconds = 0;
  while (machine.phase === phase && machine.wire.written === written && seconds < 86_400) {
    machine.wait(1);
    seconds += 1;
  }
  return seconds;
}

const TIMES: Readonly<Record<string, number>> = {
  asked: 30,
  open: PING_INTERVAL,
  'open, silent': PING_INTERVAL,
  'open, part': REQUEST_TIMEOUT,
  'open, rest': PING_INTERVAL,
  'open, unread': REQUEST_TIMEOUT,
  full: PING_INTERVAL,
  closing: 5,
  ended: 2,
};

for (const [state, seconds] of Object.entries(TIMES)) {
  test(`${state} lasts ${seconds} s`, () => {
    assert.equal(lasts(inState(state)[0]), seconds + 1);
  });
}

test('what comes before 101 is read behind it, in order, and the wire is paused until then', () => {
  for (const isLater of [false, true]) {
    const frames = Buffer.concat([text('one'), text('two'), frame(TEXT, 'thr', 0)]);
    const machine = new WebSocketMachine(isLater ? undefined : frames);
    if (isLater) machine.send(frames);
    assert.deepEqual([machine.wire.isPaused, machine.sockets.texts], [true, []]);
    machine.accept();
    machine.turns();
    assert.deepEqual([machine.wire.isPaused, machine.sockets.texts], [false, ['one', 'two']]);
    machine.send(frame(0, 'ee'));
    assert.deepEqual(machine.sockets.texts, ['one', 'two', 'three']);
    assert.equal(machine.http.front.receiving.bytes, 0);
  }
});

test('the gateway takes no more: what was read waits, in order, until it does', () => {
  const machine = open();
  machine.sockets.takesMore = false;
  machine.send(Buffer.concat(['a', 'b', 'c', 'd'].map(text)));
  machine.turns();
  assert.deepEqual([machine.phase, machine.sockets.texts, machine.wire.isPaused], ['full', ['a'], true]);
  machine.socket.resume();
  machine.turns();
  assert.deepEqual([machine.phase, machine.sockets.texts], ['full', ['a', 'b']]);
  machine.sockets.takesMore = true;
  machine.socket.resume();
  machine.turns();
  assert.deepEqual([machine.phase, machine.sockets.texts.join('')], ['open', 'abcd']);
  assert.deepEqual([machine.wire.isPaused, machine.http.front.receiving.bytes], [false, 0]);
});

test('while the gateway takes no more, what its client begins has no time, and its Pong none', () => {
  const machine = open();
  machine.sockets.takesMore = false;
  machine.send(Buffer.concat([text('hello'), text('again'), frame(TEXT, 'hel', 0)]));
  const wait = (): void => {
    for (let second = 0; second <= LONG; second += 1) machine.wait(1);
    machine.tick();
    machine.socket.resume();
  };
  wait();
  machine.wait(1);
  machine.turns();
  assert.deepEqual([machine.phase, machine.sockets.texts], ['full', ['hello', 'again']]);
  machine.sockets.takesMore = true;
  wait();
  machine.turns();
  // From here on it is heard again, and has its times again.
  machine.wait(REQUEST_TIMEOUT);
  assert.deepEqual([machine.phase, machine.wire.isPaused], ['open', false]);
  machine.wait(1);
  assert.deepEqual([machine.phase, machine.heard().at(-1)], ['ended', '1008']);
});

test('who is told that nobody answered, or that this stops, did not go away', () => {
  const outcomes = {
    'it goes away': { closed: 1, timeouts: 0, refused: 0 },
    'nobody answers': { closed: 0, timeouts: 1, refused: 0 },
    'this stops': { closed: 0, timeouts: 0, refused: 1 },
    'it is to make room': { closed: 0, timeouts: 0, refused: 1 },
  };
  const events: Readonly<Record<string, (machine: WebSocketMachine) => void>> = {
    'it goes away': ({ socket }) => socket.closed(),
    'nobody answers': (machine) => machine.wait(LONG),
    'this stops': ({ socket }) => socket.stop(),
    'it is to make room': ({ socket }) => socket.refuseSlow(),
  };
  for (const [what, counted] of Object.entries(outcomes)) {
    const machine = inState('asked')[0];
    events[what]?.(machine);
    machine.socket.closed();
    const { closed, timeouts, refused } = machine.http.front.counters;
    const sum = Object.values(refused).reduce((a, b) => a + b);
    assert.deepEqual({ closed, timeouts, refused: sum }, counted, what);
  }
});

test('a Ping goes behind what it proves, also at once', () => {
  const machine = open();
  machine.heard();
  machine.socket.send(Buffer.alloc(20_000, 'x'), 1);
  assert.deepEqual(machine.heard(), ['text', 'ping']);
});

test('closed while the gateway takes no more, the client is heard again, for its Close', () => {
  const machine = inState('full')[0];
  assert.equal(machine.wire.isPaused, true);
  machine.socket.close(1000, NOTHING);
  assert.equal(machine.wire.isPaused, false);
  machine.send(Buffer.concat([text('late'), close(1000)]));
  assert.deepEqual([machine.phase, machine.sockets.texts], ['ended', ['hello']]);
});

test('of many frames in one read a few are read in a turn', () => {
  const machine = open();
  machine.send(Buffer.concat(Array.from({ length: 100 }, () => text('x'))));
  const counts = [machine.sockets.texts.length];
  while (machine.sockets.texts.length < 100) {
    machine.http.turn();
    counts.push(machine.sockets.texts.length);
  }
  assert.deepEqual(
    counts,
    Array.from({ length: 13 }, (_, turn) => Math.min(100, 8 * (turn + 1))),
  );
});

for (const [what, each] of Object.entries({
  fragments: frame(0, '', 0),
  Pings: ping(),
  Pongs: frame(10, ''),
})) {
  test(`the same of ${what}, whatever they stand in`, () => {
    const machine = open();
    const count = 200;
    const many = Array.from({ length: count - 2 }, () => each);
    machine.send(Buffer.concat([frame(TEXT, 'a', 0), ...many, frame(0, 'b')]));
    let turns = 1;
    for (; machine.sockets.texts.length === 0 && turns < count; turns += 1) {
      assert.equal(machine.wire.isPaused, true);
      machine.http.turn();
    }
    assert.deepEqual([machine.sockets.texts, turns], [['ab'], count / FRAMES]);
    assert.equal(machine.wire.isPaused, false);
  });
}

test('a message beyond the limit, and one that is no text, end it', () => {
  const large = open();
  large.send(text('x'.repeat(MAX_BODY + 1)));
  assert.deepEqual([large.phase, large.heard().at(-1), large.sockets.ends], ['ended', '1009', [[1, 1009]]]);
  const binary = open();
  binary.send(frame(2, 'x'));
  assert.deepEqual([binary.phase, binary.heard().at(-1)], ['ended', '1003']);
});

test('what is sent behind its end is passed over, up to 1 MB', () => {
  for (const state of ['closing', 'ended']) {
    const [machine] = inState(state);
    const junk = frame(2 ** 0, 'x'.repeat(10));
    const part = Buffer.concat(Array.from({ length: 4000 }, () => junk));
    let sent = 0;
    while (machine.phase !== 'closed' && sent < 2 * 1024 ** 2) {
      machine.send(Buffer.from(part));
      machine.turns();
      sent += part.length;
    }
    assert.ok(sent > 1024 ** 2 && sent < 1.2 * 1024 ** 2, `${state}: ${sent}`);
  }
});
