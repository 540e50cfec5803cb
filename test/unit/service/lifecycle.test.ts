/** A gateway's service: its header's table, and how it is carried out, by a clock of the test. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { pino } from 'pino';
import { configSchema } from '../../../src/config/schema.js';
import { Drain, noticeTime } from '../../../src/service/drain.js';
import { LIFECYCLE, type Phase, stateOf } from '../../../src/service/lifecycle.js';
import { headerTable, NEVER, SAME } from '../../support/header-table.js';

test('it is as its header says', () => {
  const { columns, rows } = headerTable('src/service/lifecycle.ts', 'event');
  const table = Object.entries(LIFECYCLE).map(([event, row]) => {
    assert.deepEqual(
      Object.keys(row).filter((phase) => !columns.includes(phase)),
      [],
    );
    return [event, ...columns.map((phase) => row[phase as Phase] ?? SAME)];
  });
  assert.deepEqual(
    table,
    rows.map((row) => row.map((cell) => (cell === NEVER ? SAME : cell))),
  );
});

test('what operators are told', () => {
  const { columns } = headerTable('src/service/lifecycle.ts', 'event');
  assert.deepEqual(
    columns.map((phase) => stateOf(phase as Phase)),
    ['in_service', 'draining', 'draining', 'drained', 'stopping', 'stopping', 'stopping'],
  );
});

test('there is no wait for balancers that have nothing to ask', () => {
  const time = (settings: object): number => noticeTime(configSchema.parse(settings));
  assert.equal(time({}), 0);
  assert.equal(time({ admin_port: 9080 }), 5);
  assert.equal(time({ agent_port: 9081, drain_delay: '7 s' }), 7);
});

const DELAY = 3;

/** What was asked of the crew; what it has done it says as the test does. */
class Crew {
  readonly entered: Phase[] = [];
  #done: (() => void)[] = [];

  enter(phase: Phase): Promise<void> {
    this.entered.push(phase);
    return new Promise((resolve) => this.#done.push(resolve));
  }

  /** All that it was asked for until now. */
  async done(): Promise<void> {
    for (const resolve of this.#done.splice(0)) resolve();
    await turn();
  }
}
const turn = async (): Promise<void> => {
  for (let i = 0; i < 5; i += 1) await Promise.resolve();
};

let crew: Crew;
let drain: Drain;
beforeEach(() => {
  mock.timers.enable({ apis: ['setTimeout'] });
  crew = new Crew();
  drain = new Drain(DELAY, pino({ level: 'silent' }));
  drain.takeCharge(crew);
});
afterEach(() => mock.timers.reset());

const wait = (seconds: number): void => mock.timers.tick(1000 * seconds);

test('SIGTERM: it is not ready, then its clients are sent elsewhere, then it ends', async () => {
  let isOver = false;
  void drain.ended.then(() => {
    isOver = true;
  });
  assert.equal(drain.stop(), 'lastLeaving');
  wait(DELAY - 0.001);
  assert.deepEqual(crew.entered, ['serving', 'lastLeaving']);
  wait(0.001);
  assert.equal(drain.phase, 'lastReleasing');
  await crew.done();
  assert.equal(drain.phase, 'finishing');
  assert.equal(isOver, false);
  await crew.done();
  assert.deepEqual(crew.entered, ['serving', 'lastLeaving', 'lastReleasing', 'finishing', 'ended']);
  assert.equal(isOver, true);
});

test('a second SIGTERM is the end, wherever it comes', async () => {
  for (const seconds of [0, DELAY]) {
    drain = new Drain(DELAY, pino({ level: 'silent' }));
    drain.takeCharge(crew);
    drain.stop();
    wait(seconds);
    assert.equal(drain.stop(), 'cut');
    await crew.done();
    wait(DELAY);
    assert.equal(drain.phase, 'cut');
  }
});

test('an order to drain ends where nobody is left to tell, and the gateway goes on', async () => {
  assert.equal(await drain.order('drain'), 'draining');
  wait(DELAY);
  assert.equal(await drain.order('drain'), 'draining');
  await crew.done();
  assert.equal(await drain.order('drain'), 'drained');
  wait(3600);
  assert.deepEqual(crew.entered, ['serving', 'leaving', 'releasing', 'drained']);
  assert.equal(await drain.order('resume'), 'in_service');
  assert.equal(crew.entered.at(-1), 'serving');
});

test('it resumes at any time, and what was asked for before leads nowhere then', async () => {
  await drain.order('drain');
  await drain.order('resume');
  wait(DELAY);
  assert.equal(drain.phase, 'serving');
  await drain.order('drain');
  wait(DELAY);
  assert.equal(await drain.order('resume'), 'in_service');
  await crew.done();
  assert.equal(drain.phase, 'serving');
});

test('SIGTERM to one that drains: what it waited for is not waited for again, and nothing takes it back', async () => {
  await drain.order('drain');
  wait(DELAY - 1);
  drain.stop();
  wait(1);
  assert.equal(drain.phase, 'lastReleasing');
  assert.equal(await drain.order('resume'), 'stopping');
  drain = new Drain(DELAY, pino({ level: 'silent' }));
  drain.takeCharge(crew);
  await drain.order('drain');
  wait(DELAY);
  await crew.done();
  drain.stop();
  assert.equal(drain.phase, 'lastReleasing');
});

test('what was ordered before there was anybody to do it is done then', async () => {
  drain = new Drain(DELAY, pino({ level: 'silent' }));
  await drain.order('drain');
  wait(DELAY);
  const late = new Crew();
  drain.takeCharge(late);
  await late.done();
  assert.deepEqual([late.entered, drain.phase], [['releasing', 'drained'], 'drained']);
});

test('what fails on the way is told in the log, and keeps nobody from being out of service, or from the end', async () => {
  const lines: string[] = [];
  drain = new Drain(0, pino({}, { write: (line) => lines.push(line) }));
  drain.takeCharge({ enter: () => Promise.reject(new TypeError('no way')) });
  await drain.order('drain');
  wait(0);
  await turn();
  assert.equal(drain.phase, 'drained');
  drain.stop();
  await turn();
  await drain.ended;
  assert.equal(lines.filter((line) => /no way.*GATEWAY_FAULT/.test(line)).length, 1);
});
