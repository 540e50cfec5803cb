/** How clients are sent elsewhere: each in its turn, until it is called off, and at the end all at once. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { Departure, type Leaver } from '../../../src/http/departure.js';

const front = { isDraining: false, isStopping: false };
let guests: Set<Leaver>;
let told: string[];

beforeEach(() => {
  mock.timers.enable({ apis: ['setInterval', 'setTimeout'] });
  Object.assign(front, { isDraining: false, isStopping: false });
  told = [];
  guests = new Set(
    Array.from({ length: 100 }, (_, index) => ({
      freeSince: 0,
      older: undefined,
      newer: undefined,
      stop: () => told.push(`stop ${index}`),
      stopWaiting: () => told.push(`stopWaiting ${index}`),
      destroy: () => told.push(`destroy ${index}`),
    })),
  );
});
afterEach(() => mock.timers.reset());

const all = (what: string): string[] => Array.from({ length: 100 }, (_, index) => `${what} ${index}`);

test('each has its turn, few as many as there are in a step, and whoever waits hears when all had it', async () => {
  const departure = new Departure(front, guests, 5);
  const released = departure.release();
  assert.deepEqual([front, told], [{ isDraining: true, isStopping: false }, []]);
  for (let step = 1; step <= 5; step += 1) {
    mock.timers.tick(50);
    assert.equal(told.length, 20 * step);
  }
  await released;
  assert.deepEqual(told, all('stop'));
});

test('asked again on the way it goes on, and once it is over all have a turn again', async () => {
  const departure = new Departure(front, guests, 5);
  const first = departure.release();
  mock.timers.tick(50);
  assert.equal(departure.release(), first);
  mock.timers.tick(200);
  await first;
  assert.deepEqual(told, all('stop'));
  void departure.release();
  mock.timers.tick(250);
  assert.equal(told.length, 200);
});

test('called off, who is left stays', async () => {
  const departure = new Departure(front, guests, 5);
  const released = departure.release();
  mock.timers.tick(50);
  departure.keep();
  await released;
  mock.timers.tick(10_000);
  assert.deepEqual([front.isDraining, told], [false, all('stop').slice(0, 20)]);
});

test('at the end all have their turn at once, then what has not come in is not waited for, then they are cut', async () => {
  const departure = new Departure(front, guests, 300);
  void departure.release();
  const never = new Promise<void>(() => {});
  const finished = departure.finish(never);
  assert.deepEqual([front, told], [{ isDraining: true, isStopping: true }, all('stop')]);
  mock.timers.tick(1000);
  await finished;
  const closed = departure.close(never);
  assert.deepEqual(told, [...all('stop'), ...all('stopWaiting')]);
  mock.timers.tick(1000);
  await closed;
  assert.deepEqual(told, [...all('stop'), ...all('stopWaiting'), ...all('destroy')]);
});

test('where all have gone nothing is waited for', async () => {
  const departure = new Departure(front, new Set(), 5);
  await departure.release();
  await departure.finish(Promise.resolve());
  await departure.close(Promise.resolve());
});
