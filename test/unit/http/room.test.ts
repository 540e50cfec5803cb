/** Who makes room, as a model of what may be: held requests never, and never more than there is room for. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Connection } from '../../../src/http/connection.js';
import { type Guest, Room } from '../../../src/http/room.js';
import { Machine } from './machine.js';

class Client implements Guest {
  freeSince = 0;
  older: Guest | undefined = undefined;
  newer: Guest | undefined = undefined;
  isDestroyed = false;
  isServed = false;
  isHeld = false;

  destroy(): void {
    this.isDestroyed = true;
  }
}

const OPERATIONS = ['enter', 'enter', 'hold', 'free', 'begin', 'leave', 'wait'] as const;

test('those whose requests are held stay, and nobody comes beyond the bounds', () => {
  const operation = fc.record({ name: fc.constantFrom(...OPERATIONS), which: fc.nat(20) });
  fc.assert(
    fc.property(
      fc.array(operation, { maxLength: 200 }),
      fc.integer({ min: 1, max: 5 }),
      (operations, max) => {
        const room = new Room<Client>(max, 2);
        const all: Client[] = [];
        let now = 0;
        for (const { name, which } of operations) {
          const here = all.filter((client) => room.guests.has(client));
          const client = here[which % Math.max(1, here.length)];
          if (name === 'wait') now += 2;
          else if (name === 'enter') {
            const comes = new Client();
            const wasFull = room.isFull;
            const destroyed = all.filter(({ isDestroyed }) => isDestroyed).length;
            comes.isServed = room.enter(comes, now);
            all.push(comes);
            assert.ok(comes.isServed || wasFull);
            assert.ok(all.filter(({ isDestroyed }) => isDestroyed).length <= destroyed + 1);
          } else if (client?.isServed) {
            room[name](client, now);
            if (name === 'hold') client.isHeld = true;
            if (name === 'free' || name === 'leave') client.isHeld = false;
          } else if (client !== undefined && name === 'leave') room.leave(client);
          for (const { isDestroyed, isHeld } of all) assert.ok(!(isDestroyed && isHeld));
          const left = [...room.guests];
          assert.ok(left.every(({ isDestroyed }) => !isDestroyed));
          assert.ok(left.filter(({ isServed }) => isServed).length <= max);
          assert.ok(left.filter(({ isServed }) => !isServed).length <= 2);
        }
      },
    ),
  );
});

test('the one goes that has waited for no answer for longest, be it idle or busy sending', () => {
  const room = new Room<Client>(3, 1);
  const [held, idle, sending] = [new Client(), new Client(), new Client()];
  for (const client of [held, idle, sending]) room.enter(client, 0);
  room.hold(held);
  room.hold(idle);
  room.begin(sending, 1);
  room.free(idle, 2);
  // Nobody for long enough.
  assert.equal(room.enter(new Client(), 2), false);
  assert.equal(room.enter(new Client(), 3), true);
  assert.equal(sending.isDestroyed, true);
  assert.equal(room.enter(new Client(), 4), true);
  assert.equal(idle.isDestroyed, true);
  assert.equal(held.isDestroyed, false);
});

test('connections make room that were opened ahead, lie idle or whose request does not end, held ones never', () => {
  const room = new Room<Connection>(4, 10);
  const post = 'POST /bosh HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\na';
  const [held, drip, idle, ahead] = [0, 1, 2, 3].map(() => new Machine(room));
  assert.ok(held && drip && idle && ahead);
  held.send(post);
  drip.send(post.slice(0, -1));
  idle.send('GET /bosh HTTP/1.1\r\nHost: x\r\n\r\n');
  const refused = (now: number): void => {
    const comes = new Machine(room, now);
    comes.send(post);
    assert.deepEqual(
      [comes.phase, comes.statuses, comes.front.counters.refused.overload],
      ['ended', [503], 1],
    );
  };
  // One that is opened ahead may be about to be used.
  refused(1001);
  for (const gone of [ahead, drip, idle]) {
    assert.equal(gone.wire.isDestroyed, false);
    const comes = new Machine(room, 1002);
    assert.deepEqual([gone.phase, gone.wire.isDestroyed], ['closed', true]);
    comes.send(post);
    assert.deepEqual([comes.phase, comes.bodies], ['held', ['a']]);
  }
  assert.deepEqual([drip.statuses, ahead.statuses, idle.statuses], [[], [], [200]]);
  // Nobody is left to make room, however long it takes.
  refused(2000);
  held.answer('~a');
  assert.equal(held.phase, 'idle');
});
