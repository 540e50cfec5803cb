/** Whatever a client, the gateway, the network and the clock do, in whichever order, to a connection without a socket. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Phase } from '../../../src/http/connection.js';
import { fullRoom, MAX_BODY, Machine } from './machine.js';

/** The requests of a client: their text, and what they may hear beside 503. */
interface Kind {
  readonly text: (body: string) => string;
  readonly hears: (body: string) => string;
  readonly mayBeInvited?: boolean;
}
const line = (method: string, ...headers: string[]): string =>
  [`${method} HTTP/1.1`, 'Host: x', ...headers, '', ''].join('\r\n');
const length = (bytes: number): string => `Content-Length: ${bytes}`;
const CLOSE = 'Connection: close';
const LARGE = 'x'.repeat(3 * MAX_BODY);
const EXPECT = 'Expect: 100-continue';
const post = (...headers: string[]): Kind => ({
  text: (body) => line('POST /bosh', length(body.length), ...headers) + body,
  hears: (body) => `200 ~${body}`,
  mayBeInvited: headers.includes(EXPECT),
});
const fixed = (text: string, hears: string): Kind => ({ text: () => text, hears: () => hears });
const KINDS: readonly Kind[] = [
  post(),
  post(),
  post(CLOSE),
  ...Array.from({ length: 4 }, () => post(EXPECT)),
  fixed(line('GET /bosh'), '200 This'),
  fixed(line('GET /bosh', CLOSE), '200 This'),
  fixed(`\r\n${line('HEAD /bosh')}\r\n`, '200 '),
  fixed(line('PUT /bosh', length(5)) + 'x'.repeat(5), '405 BOSH'),
  fixed(line('POST /bosh', length(LARGE.length)) + LARGE, '413 A'),
  fixed(`${line('POST /bosh', 'Transfer-Encoding: chunked')}1e\r\n${LARGE}\r\n0\r\n\r\n`, '413 A'),
  fixed(`${line('POST /bosh', 'Transfer-Encoding: chunked')}1e\r\n${LARGE}..`, '413 A|400 This'),
  fixed(line('POST /bosh', length(5), CLOSE, length(6)), '400 This'),
];

const EVENTS = {
  send: (run: Run, n: number) => run.send(1 + (n % 200)),
  sendHead: (run: Run) => run.sendHead(),
  sendAll: (run: Run) => run.send(Number.POSITIVE_INFINITY),
  answer: (run: Run, n: number) => run.answer(n),
  stall: (run: Run) => {
    run.machine.wire.isRead = false;
  },
  read: (run: Run) => run.machine.wire.read(),
  turn: (run: Run) => run.machine.turn(),
  second: (run: Run) => run.machine.wait(1),
  wait: (run: Run, n: number) => run.machine.wait(n % 100),
  slow: (run: Run) => run.machine.connection.refuseSlow(),
  stop: (run: Run) => run.machine.stop(),
  stopWaiting: (run: Run) => run.machine.connection.stopWaiting(),
  destroy: (run: Run) => run.machine.connection.destroy(),
  gone: (run: Run) => run.gone(),
} as const;
type EventName = keyof typeof EVENTS;

class Run {
  readonly machine: Machine;
  readonly #requests: readonly Kind[];
  #unsent: string;
  readonly #answered = new Set<number>();
  #isGone = false;
  #wasClosed = false;
  readonly #reached: Set<Phase>;

  constructor(requests: readonly Kind[], isRefused: boolean, reached: Set<Phase>) {
    this.machine = new Machine(isRefused ? fullRoom() : undefined);
    this.#requests = requests;
    this.#unsent = requests.map(({ text }, index) => text(bodyOf(index))).join('');
    this.#reached = reached;
  }

  /** A paused wire brings nothing. */
  send(bytes: number): void {
    if (this.machine.wire.isPaused) return;
    this.machine.send(this.#unsent.slice(0, bytes));
    this.#unsent = this.#unsent.slice(bytes);
  }

  /** No further than the next head goes. */
  sendHead(): void {
    this.send(this.#unsent.indexOf('\r\n\r\n') + 4);
  }

  /** Answers one of the held requests, not the oldest one always; once, as the gateway does. */
  answer(n: number): void {
    const open = this.machine.exchanges.flatMap((exchange, index) =>
      this.#answered.has(index) || this.machine.gone.includes(index + 1) ? [] : [{ exchange, index }],
    );
    const chosen = open[n % Math.max(1, open.length)];
    if (chosen === undefined) return;
    this.#answered.add(chosen.index);
    chosen.exchange.answer(200, [], Buffer.from(`~${this.machine.bodies[chosen.index]}`));
  }

  gone(): void {
    if (this.#isGone) return;
    this.#isGone = true;
    this.machine.wire.isDestroyed = true;
    this.machine.connection.closed();
  }

  happen(name: EventName, n: number): void {
    // Behind 'close' no socket tells anything, and the room has forgotten it.
    if (this.#isGone && !['answer', 'turn', 'read'].includes(name)) return;
    EVENTS[name](this, n);
    this.check();
  }

  check(): void {
    const { phase, wire } = this.machine;
    this.#reached.add(phase);
    assert.ok(!this.#wasClosed || phase === 'closed', 'a closed one stays closed');
    this.#wasClosed = phase === 'closed';
    assert.equal(wire.isEnded || wire.isDestroyed, phase === 'ended' || phase === 'closed');
    assert.ok(phase !== 'expecting' || this.#answered.size < this.machine.exchanges.length);
    const invited = invitedIn(wire.written);
    assert.equal(new Set(invited).size, invited.length, 'invited twice');
    for (const index of invited) assert.ok(this.#requests[index]?.mayBeInvited, `${index} is invited`);
    const responses = responsesIn(wire.written);
    for (const [index, { text, isClose }] of responses.entries()) {
      const kind = this.#requests[index] ?? assert.fail(`an answer to nothing: ${text}`);
      const hears = kind.hears(bodyOf(index)).split('|');
      assert.ok(
        [...hears, '503 '].some((start) => text.startsWith(start)),
        `${text}, not ${hears}`,
      );
      // What is said to be the last one is, and nothing else.
      assert.ok(!isClose || index === responses.length - 1);
      assert.ok(!isClose || phase === 'ended' || phase === 'closed');
    }
  }

  /** It goes, whatever was left: nothing of it may stay behind. */
  finish(): void {
    this.gone();
    const { room, front, gone, exchanges } = this.machine;
    assert.equal(room.guests.size, 0);
    assert.equal(front.receiving.bytes, 0);
    const open = exchanges.flatMap((_, index) => (this.#answered.has(index) ? [] : [index + 1]));
    assert.deepEqual(gone, open);
  }
}

/** What a POST carries, so that its answer can be told from another's. */
const bodyOf = (index: number): string => `${index}`.padStart(3, '0');

/** Which requests were told to go on, by their number: each 100 Continue comes behind the answers to all before. */
function invitedIn(written: string): number[] {
  const statuses = [...written.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => status);
  return statuses.flatMap((status, at) =>
    status === '100' ? [statuses.slice(0, at).filter((before) => before !== '100').length] : [],
  );
}

/** All but 100 Continue. */
function responsesIn(written: string): { text: string; isClose: boolean }[] {
  return written
    .split(/(?=HTTP\/1\.1 \d)/)
    .filter((text) => text !== '' && !text.startsWith('HTTP/1.1 100 '))
    .map((text) => {
      const [head = '', body = ''] = text.split('\r\n\r\n');
      return { text: `${head.slice(9, 12)} ${body}`, isClose: head.includes('\r\nconnection: close') };
    });
}

test('each request has at most one answer, in order, nothing is written behind the end, and nothing stays', () => {
  const reached = new Set<Phase>();
  const requests = fc.array(fc.constantFrom(...KINDS), { minLength: 1, maxLength: 12, size: 'max' });
  const names = Object.keys(EVENTS) as EventName[];
  // Most of what happens is traffic.
  const traffic = names.slice(0, 8);
  const name = fc.oneof({ weight: 12, arbitrary: fc.constantFrom(...traffic) }, fc.constantFrom(...names));
  const events = fc.array(fc.tuple(name, fc.nat(1000)), { maxLength: 60, size: 'max' });
  fc.assert(
    fc.property(requests, fc.integer({ min: 0, max: 9 }), events, (kinds, room, happening) => {
      const run = new Run(kinds, room === 0, reached);
      run.check();
      for (const [each, n] of happening) run.happen(each, n);
      run.finish();
    }),
    { numRuns: 3000, includeErrorInReport: true },
  );
  const all: readonly Phase[] = [
    'ahead',
    'idle',
    'unread',
    'held',
    'head',
    'expecting',
    'body',
    'skipped',
    'last',
    'ended',
    'closed',
  ];
  assert.deepEqual(
    all.filter((phase) => !reached.has(phase)),
    [],
    'phases never reached',
  );
});
