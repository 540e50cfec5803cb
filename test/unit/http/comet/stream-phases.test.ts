/** Every phase of a stream and every event, as the table in the header of src/http/comet/stream-connection.ts has them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CometHall } from '../../../../src/http/comet/comet-hall.js';
import { StreamConnection } from '../../../../src/http/comet/stream-connection.js';
import { text } from '../../../../src/http/replies.js';
import { headerTable, NEVER, SAME } from '../../../support/header-table.js';
import { Machine, REQUEST_TIMEOUT } from '../machine.js';
import { FakeComet } from './fake-comet.js';

const MAX_UNREAD = 100;
const EVENT = Buffer.from('event\n');
const BEAT = 25;

class StreamMachine {
  readonly comet = new FakeComet();
  readonly http: Machine;
  readonly stream: StreamConnection;
  #heard = 0;

  constructor(headers = 'Accept: text/event-stream\r\n') {
    const hall = new CometHall(
      { service: this.comet, admission: this.comet, maxIds: 2, maxUnread: MAX_UNREAD },
      ['*'],
      () => this.http.front,
    );
    this.http = new Machine(undefined, undefined, hall);
    this.http.send(`GET /comet/1 HTTP/1.1\r\nHost: x\r\n${headers}\r\n`);
    const [stream] = this.http.room.guests;
    assert.ok(stream instanceof StreamConnection);
    this.stream = stream;
  }

  admit(seconds = Number.POSITIVE_INFINITY): void {
    this.stream.admit(['1'], seconds);
  }

  wait(seconds: number): void {
    this.http.front.now += seconds;
    this.stream.expire();
  }

  /** What the client heard since it was last asked: a status, events, beats. */
  heard(): string[] {
    const all = [...this.http.wire.written.matchAll(/HTTP\/1\.1 (\d+)|^(event|beat)$/gm)].map(
      ([, status, event]) => status ?? event ?? '',
    );
    const heard = all.slice(this.#heard);
    this.#heard = all.length;
    return heard;
  }
}

const plain = (): StreamMachine => new StreamMachine('');

function open(seconds?: number): StreamMachine {
  const machine = plain();
  machine.admit(seconds);
  return machine;
}

function unread(): StreamMachine {
  const machine = open(2 * REQUEST_TIMEOUT);
  machine.http.wire.isRead = false;
  machine.stream.write(EVENT);
  return machine;
}

const STATES: Readonly<Record<string, () => StreamMachine>> = {
  asked: plain,
  open: () => open(2 * REQUEST_TIMEOUT),
  'open, unread': unread,
  'open, full': () => {
    const machine = unread();
    machine.stream.write(Buffer.alloc(MAX_UNREAD));
    return machine;
  },
  ended: () => {
    const machine = open();
    machine.stream.dismiss();
    return machine;
  },
};

const EVENTS: Readonly<Record<string, (machine: StreamMachine) => void>> = {
  admit: (machine) => machine.admit(),
  refuse: ({ stream }) => stream.refuse(text(403, 'no')),
  event: ({ stream }) => stream.write(EVENT),
  dismiss: ({ stream }) => stream.dismiss(),
  beat: (machine) => machine.wait(BEAT + 1),
  over: (machine) => machine.wait(2 * REQUEST_TIMEOUT + 1),
  late: (machine) => machine.wait(REQUEST_TIMEOUT + 1),
  stop: ({ stream }) => stream.stop(),
  stopWait: ({ stream }) => stream.stopWaiting(),
};

const { columns, rows } = headerTable('src/http/comet/stream-connection.ts', 'in phase');

test('the table has every phase and every event', () => {
  assert.deepEqual(
    rows.map(([state]) => state),
    Object.keys(STATES),
  );
  assert.deepEqual(columns, Object.keys(EVENTS));
});

function inState(state: string): readonly [StreamMachine, string] {
  const machine = STATES[state]?.() ?? assert.fail(state);
  const [phase = ''] = state.split(',');
  assert.equal(machine.stream.phase, phase);
  machine.heard();
  return [machine, phase];
}

for (const [state, ...cells] of rows) {
  for (const [index, cell] of cells.entries()) {
    const event = columns[index] ?? '';
    if (cell === NEVER) continue;
    test(`${state}: ${event} → ${cell}`, () => {
      const [machine, phase] = inState(state);
      EVENTS[event]?.(machine);
      assert.equal([machine.stream.phase, ...machine.heard()].join('+'), cell === SAME ? phase : cell);
      const { wire } = machine.http;
      assert.equal(wire.isEnded, machine.stream.phase === 'ended' || state === 'ended');
      assert.equal(wire.isDestroyed, machine.stream.phase === 'closed');
      // Comet, and whoever let it in, hear of its end, once.
      const isOver = machine.stream.phase === 'ended' || machine.stream.phase === 'closed';
      const { pages, gone, left_ } = machine.comet;
      assert.deepEqual([gone.length, left_], isOver ? [pages.length, [1]] : [0, []]);
    });
  }
}

for (const state of Object.keys(STATES)) {
  test(`${state}: cut or gone, nothing of it stays, and nothing leads out of that`, () => {
    for (const end of ['destroy', 'closed'] as const) {
      const [machine] = inState(state);
      const { wire, room } = machine.http;
      machine.stream[end]();
      assert.equal(wire.isDestroyed, end === 'destroy');
      if (end === 'destroy') machine.stream.closed();
      assert.equal(room.guests.size, 0);
      assert.deepEqual([machine.comet.gone.length, machine.comet.left_], [machine.comet.pages.length, [1]]);
      wire.isDestroyed = true;
      const { written } = wire;
      for (const happen of Object.values(EVENTS)) happen(machine);
      assert.deepEqual([machine.stream.phase, wire.written], ['closed', written]);
    }
  });
}

test('the forms: by what the client accepts, and by the version that it speaks', () => {
  const sse = new StreamMachine();
  sse.admit();
  assert.equal(sse.stream.form, 'sse');
  assert.match(
    sse.http.wire.written,
    /^HTTP\/1\.1 200 OK\r\n[^~]*content-type: text\/event-stream\r\ncache-control: no-store, no-transform\r\nx-accel-buffering: no\r\nconnection: close\r\n\r\nretry: \d{3,4}\n\n$/,
  );
  const chunked = open();
  assert.equal(chunked.stream.form, 'chunked');
  assert.match(chunked.http.wire.written, /\r\ntransfer-encoding: chunked\r\ncontent-type: text\/plain/);
  chunked.stream.dismiss();
  assert.match(chunked.http.wire.written, /\r\n\r\n0\r\n\r\n$/);
});

test('who does not read is cut and counted: beyond what may wait, or after a while', () => {
  for (const how of ['event', 'late'] as const) {
    const [machine] = inState('open, full');
    EVENTS[how]?.(machine);
    assert.equal(machine.http.front.counters.comet.slow_readers, 1);
  }
  const reading = unread();
  reading.http.wire.read();
  reading.wait(REQUEST_TIMEOUT + 1);
  assert.deepEqual([reading.stream.phase, reading.heard().at(-1)], ['open', 'beat']);
});

test('a page that is cut as it is given its first events leaves', () => {
  const machine = plain();
  machine.comet.onListen = (page) => {
    machine.http.wire.isRead = false;
    page.write(Buffer.alloc(2 * MAX_UNREAD));
    page.write(EVENT);
  };
  machine.admit();
  assert.deepEqual([machine.stream.phase, machine.comet.gone], ['closed', [0]]);
});

test('each event puts the beat off', () => {
  const machine = open();
  for (let i = 0; i < 3; i += 1) {
    machine.wait(BEAT);
    machine.stream.write(EVENT);
  }
  assert.equal(machine.comet.beats, 0);
  machine.wait(BEAT + 1);
  assert.equal(machine.comet.beats, 1);
});

test('what is sent behind the request is passed over, up to 1 MB', () => {
  const machine = open();
  const part = Buffer.alloc(64 * 1024);
  let sent = 0;
  while (machine.stream.phase === 'open' && sent < 2 * 1024 ** 2) {
    machine.stream.receive(part);
    sent += part.length;
  }
  assert.ok(sent > 1024 ** 2 && sent < 1.2 * 1024 ** 2, `${sent}`);
  assert.equal(machine.http.wire.written.match(/HTTP/g)?.length, 1);
});

test('a refusal that passes is one that an EventSource comes back from', () => {
  const passing = new StreamMachine();
  passing.stream.stop();
  assert.match(
    passing.http.wire.written,
    /^HTTP\/1\.1 200 OK\r\n[^~]*content-type: text\/event-stream\r\n[^~]*: 503 This gateway is stopping\.\nretry: 2000\n\n$/,
  );
  const final = new StreamMachine();
  final.stream.refuse(text(401, 'no token'));
  assert.match(final.http.wire.written, /^HTTP\/1\.1 401 /);
});
