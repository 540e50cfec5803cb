/** Every phase of a poll and every event, as the table in the header of src/http/comet/poll.ts has them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { read } from '../../../../src/http/comet/asked.js';
import { CometHall } from '../../../../src/http/comet/comet-hall.js';
import { Poll } from '../../../../src/http/comet/poll.js';
import { text } from '../../../../src/http/replies.js';
import { RequestParser } from '../../../../src/http/request-parser.js';
import { Counters } from '../../../../src/observe/counters.js';
import { headerTable, NEVER, SAME } from '../../../support/header-table.js';
import { FakeComet } from './fake-comet.js';

const MAX_UNREAD = 100;
const EVENT = Buffer.from('{"id":"1"}');

class PollMachine {
  readonly comet = new FakeComet();
  readonly front = { now: 1000, counters: new Counters() };
  readonly answers: { readonly status: number; readonly body: string }[] = [];
  readonly poll: Poll;
  over = 0;

  constructor(method = 'GET') {
    const served = { service: this.comet, admission: this.comet, maxIds: 2, maxUnread: MAX_UNREAD };
    const hall = new CometHall(served, ['*'], () => this.front);
    const parser = new RequestParser(0);
    parser.read(Buffer.from(`${method} /comet/1?poll HTTP/1.1\r\nHost: x\r\n\r\n`), 0);
    const client = { ip: '', port: 0, secure: false, path: '', origin: '', userAgent: '' };
    const asked = read({ parser, client }, 2, true);
    if (typeof asked === 'string') assert.fail(asked);
    const exchange = {
      answer: (status: number, _headers: unknown, body: Buffer) => {
        this.answers.push({ status, body: body.toString() });
      },
    };
    this.poll = new Poll(exchange, hall, asked, () => {
      this.over += 1;
    });
    this.poll.begin();
  }

  admit(seconds = Number.POSITIVE_INFINITY): void {
    this.poll.admit(['1'], seconds);
  }

  wait(seconds: number): void {
    this.front.now += seconds;
    this.poll.expire(this.front.now);
  }
}

function listening(): PollMachine {
  const machine = new PollMachine();
  machine.admit();
  return machine;
}

const STATES: Readonly<Record<string, () => PollMachine>> = {
  asked: () => new PollMachine(),
  listening,
  ready: () => {
    const machine = listening();
    machine.poll.write(EVENT);
    return machine;
  },
  over: () => {
    const machine = new PollMachine();
    machine.poll.left();
    return machine;
  },
};

const EVENTS: Readonly<Record<string, (machine: PollMachine) => void | Promise<void>>> = {
  admit: (machine) => machine.admit(),
  refuse: ({ poll }) => poll.refuse(text(403, 'no')),
  event: ({ poll }) => poll.write(EVENT),
  turn: () => turn(),
  dismiss: ({ poll }) => poll.dismiss(),
  time: (machine) => machine.wait(61),
  release: ({ poll }) => poll.release(),
  left: ({ poll }) => poll.left(),
};

const { columns, rows } = headerTable('src/http/comet/poll.ts', 'in phase');

test('the table has every phase and every event', () => {
  assert.deepEqual(
    rows.map(([state]) => state),
    Object.keys(STATES),
  );
  assert.deepEqual(columns, Object.keys(EVENTS));
});

for (const [state, ...cells] of rows) {
  for (const [index, cell] of cells.entries()) {
    const event = columns[index] ?? '';
    if (cell === NEVER) continue;
    test(`${state}: ${event} → ${cell}`, async () => {
      const machine = STATES[state]?.() ?? assert.fail(state);
      assert.equal(machine.poll.phase, state);
      await EVENTS[event]?.(machine);
      const heard = machine.answers.map(({ status }) => `${status}`);
      assert.equal([machine.poll.phase, ...heard].join('+'), cell === SAME ? state : cell);
      const isOver = machine.poll.phase === 'over';
      const { pages, gone, left_ } = machine.comet;
      assert.deepEqual([gone.length, left_, machine.over], isOver ? [pages.length, [1], 1] : [0, [], 0]);
      // Nothing leads out of that.
      if (!isOver) return;
      for (const happen of Object.values(EVENTS)) await happen(machine);
      assert.deepEqual([machine.answers.length, machine.comet.gone.length], [heard.length, pages.length]);
    });
  }
}

test('what comes in a turn is one answer, a list of JSON', async () => {
  const machine = listening();
  machine.poll.write(Buffer.from('{"gap":"1"}'));
  machine.poll.write(EVENT);
  await turn();
  assert.deepEqual(machine.answers, [{ status: 200, body: '[{"gap":"1"},{"id":"1"}]' }]);
});

test('more than a page may leave unread does not wait', () => {
  const machine = listening();
  for (let i = 0; i < 20; i += 1) machine.poll.write(EVENT);
  const [answer] = machine.answers;
  assert.ok(answer !== undefined && answer.body.length < MAX_UNREAD + 2 * EVENT.length, answer?.body);
});

test('HEAD hears whether it may, and does not wait', () => {
  const machine = new PollMachine('HEAD');
  machine.admit();
  assert.deepEqual([machine.answers, machine.comet.pages.length], [[{ status: 200, body: '' }], 0]);
});

test('a token that ends sooner ends it', () => {
  const machine = new PollMachine();
  machine.admit(5);
  machine.wait(6);
  assert.deepEqual(machine.answers, [{ status: 204, body: '' }]);
});
