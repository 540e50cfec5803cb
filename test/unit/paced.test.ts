/** Many at once are dealt with one after another, all within their time, and no timer stays. */

import assert from 'node:assert/strict';
import { afterEach, beforeEach, mock, test } from 'node:test';
import { Paced } from '../../src/paced.js';

beforeEach(() => mock.timers.enable({ apis: ['setInterval'] }));
afterEach(() => mock.timers.reset());

const range = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);

test('a few take one step, and any number does where there is no time', () => {
  const all: number[] = [];
  void new Paced<number>((slot) => all.push(slot), 0).add(range(10_000));
  mock.timers.tick(50);
  assert.equal(all.length, 10_000);
  const done: number[] = [];
  const paced = new Paced<number>((slot) => done.push(slot), 5);
  void paced.add(range(20));
  assert.deepEqual(done, []);
  mock.timers.tick(50);
  assert.deepEqual(done, range(20));
});

test('any number takes five seconds, in even steps and in order', () => {
  const done: number[] = [];
  const paced = new Paced<number>((slot) => done.push(slot), 5);
  void paced.add(range(100_000));
  for (let step = 1; step <= 100; step += 1) {
    mock.timers.tick(50);
    assert.equal(done.length, step * 1_000);
  }
  assert.deepEqual(done, range(100_000));
});

test('what comes meanwhile has five seconds of its own', () => {
  const done: number[] = [];
  const paced = new Paced<number>((slot) => done.push(slot), 5);
  void paced.add(range(10_000));
  mock.timers.tick(4_950);
  void paced.add(range(10_000).map((slot) => -slot));
  mock.timers.tick(50);
  assert.equal(done.filter((slot) => slot > 0).length, 10_000);
  assert.equal(done.filter((slot) => slot < 0).length, 100);
  mock.timers.tick(4_950);
  assert.equal(done.length, 20_000);
});

test('with nothing to do no timer runs', () => {
  mock.timers.reset();
  const timers = (): number => process.getActiveResourcesInfo().filter((name) => name === 'Timeout').length;
  const before = timers();
  const paced = new Paced<number>(() => {}, 5);
  void paced.add([]);
  assert.equal(timers(), before);
  void paced.add([1]);
  assert.equal(timers(), before + 1);
  paced.stop();
  assert.equal(timers(), before);
});

test('one that ends it all in the middle ends it', () => {
  const done: number[] = [];
  const paced = new Paced<number>((slot) => {
    done.push(slot);
    if (slot === 3) paced.stop();
  }, 5);
  void paced.add(range(100));
  mock.timers.tick(50);
  mock.timers.tick(10_000);
  assert.deepEqual(done, range(3));
});

test('whoever waits hears that each had its turn, or will not have it', async () => {
  const told: string[] = [];
  const paced = new Paced<number>(() => {}, 5);
  const few = paced.add(range(3)).then(() => told.push('few'));
  const many = paced.add(range(1000)).then(() => told.push('many'));
  await paced.add([]);
  mock.timers.tick(50);
  await few;
  assert.deepEqual(told, ['few']);
  paced.stop();
  await many;
});

test('many small batches are no quicker than a large one, and as soon at their end', () => {
  const done: number[] = [];
  const paced = new Paced<number>((item) => done.push(item), 5);
  for (let batch = 0; batch < 100; batch += 1) void paced.add(range(100));
  mock.timers.tick(50);
  assert.equal(done.length, 100);
  mock.timers.tick(4_950);
  assert.equal(done.length, 10_000);
});
