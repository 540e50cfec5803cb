/** Dealing connections out, to workers that only note what they are handed. */

import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, test } from 'node:test';
import { setImmediate as turn } from 'node:timers/promises';
import { pino } from 'pino';
import { Dealer, MOST_DEALT, type Worker } from '../../../src/workers/dealer.js';
import { happens } from '../../support/until.js';

class Notes implements Worker {
  readonly handed: Socket[] = [];
  /** The clients' ports. */
  readonly ports: (number | undefined)[] = [];

  hand(socket: Socket): void {
    this.handed.push(socket);
    this.ports.push(socket.remotePort);
  }

  take(): void {
    dealer.taken(this);
  }
}

const MAX = 2 * MOST_DEALT;

let dealer: Dealer;
let clients: Socket[];
let log: string[];
let [one, two] = [new Notes(), new Notes()];

beforeEach(async () => {
  [one, two] = [new Notes(), new Notes()];
  clients = [];
  log = [];
  dealer = new Dealer(MAX, pino({}, { write: (line: string) => void log.push(line) }));
  await dealer.listen('127.0.0.1', 0);
});
afterEach(() => {
  dealer.close();
  for (const client of clients) client.destroy();
});

/** Resolves with the client's port. */
async function come(): Promise<number | undefined> {
  const client = connect(dealer.port, '127.0.0.1');
  clients.push(client);
  await happens(client, 'connect');
  return client.localPort;
}

/** Resolves when the worker was handed so many; gives the latest one. */
async function handed(worker: Notes, count: number): Promise<Socket> {
  while (worker.handed.length < count) await turn();
  assert.equal(worker.handed.length, count);
  return worker.handed[count - 1] as Socket;
}

test('connections go to the workers in turns', async () => {
  dealer.join(one);
  dealer.join(two);
  for (const [i, worker] of [one, two, one, two].entries()) {
    const port = await come();
    assert.equal((await handed(worker, 1 + Math.floor(i / 2))).remotePort, port);
    worker.take();
  }
});

test('a worker is handed one at a time; its connection stays open here until it has taken it', async () => {
  dealer.join(one);
  const ports = [await come(), await come(), await come()];
  const first = await handed(one, 1);
  assert.equal(first.destroyed, false);
  one.take();
  assert.equal(first.destroyed, true);
  await handed(one, 2);
  one.take();
  await handed(one, 3);
  assert.deepEqual(one.ports, ports);
});

test('what a worker has not taken when it leaves is for the others, before what came later', async () => {
  dealer.join(one);
  const ports = [await come(), await come(), await come()];
  const first = await handed(one, 1);
  dealer.leave(one);
  dealer.join(two);
  assert.equal(await handed(two, 1), first);
  // It had left before it said so.
  one.take();
  assert.equal(first.destroyed, false);
  for (let count = 2; count <= 3; count += 1) {
    two.take();
    await handed(two, count);
  }
  assert.deepEqual(two.ports, ports);
  assert.equal(one.handed.length, 1);
});

test('what nobody takes in time is closed, and is dealt to nobody else', async () => {
  dealer.join(one);
  await come();
  const late = await handed(one, 1);
  late.emit('timeout');
  assert.equal(late.destroyed, true);
  const port = await come();
  dealer.leave(one);
  dealer.join(two);
  assert.equal((await handed(two, 1)).remotePort, port);
  assert.equal(dealer.refused, 1);
});

test('a worker that takes none is dealt so many, the others the rest, and more than all may have do not wait', async () => {
  dealer.join(one);
  for (let i = 0; i < MOST_DEALT; i += 1) await come();
  const port = await come();
  for (let i = MOST_DEALT + 1; i < MAX; i += 1) await come();
  await happens(connect(dealer.port, '127.0.0.1'), 'close');
  assert.equal(dealer.refused, 1);
  assert.match(log.join(), /"HTTP_CONNECTIONS".*too many connections wait for a worker/);
  dealer.join(two);
  assert.equal((await handed(two, 1)).remotePort, port);
});

for (const [what, waits] of [
  ['waits', true],
  ['no worker has taken', false],
] as const) {
  test(`close ends a connection that ${what}`, async () => {
    dealer.join(one);
    await come();
    await handed(one, 1);
    if (waits) dealer.leave(one);
    const closed = happens(clients[0]?.resume() as Socket, 'close');
    dealer.close();
    await closed;
  });
}
