import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { TURN, Turns } from '../../../src/comet/turns.js';
import { until } from '../../support/until.js';

test('there may be work for very many ids: some of it each turn, each once, in their order', async () => {
  const turns = new Turns();
  const done: number[] = [];
  const count = 300_000;
  for (let id = 0; id < count; id += 1)
    turns.add((most) => {
      done.push(id);
      return Math.min(1, most - 1);
    });
  await turn();
  assert.equal(done.length, TURN);
  await until(() => done.length === count);
  assert.ok(done.every((id, index) => id === index));
});

test('what takes long goes on behind what has not had its turn', async () => {
  const turns = new Turns();
  const done: string[] = [];
  let left = 3 * TURN;
  turns.add((most) => {
    const some = Math.min(left, most);
    left -= some;
    done.push(`long ${some}`);
    return left > 0 ? most : Math.min(some, most - 1);
  });
  for (const id of ['a', 'b']) turns.add(() => done.push(id) && 1);
  await until(() => left === 0);
  assert.deepEqual(done, [`long ${TURN}`, 'a', 'b', `long ${TURN - 2}`, `long ${TURN}`, 'long 2']);
});

test('nothing is done once it has stopped', async () => {
  const turns = new Turns();
  let count = 0;
  const work = (): number => {
    count += 1;
    if (count === 2) turns.stop();
    return 1;
  };
  for (let index = 0; index < 5; index += 1) turns.add(work);
  await turn();
  turns.add(work);
  await turn();
  assert.equal(count, 2);
});
