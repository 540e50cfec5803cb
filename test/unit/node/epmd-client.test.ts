/** An EPMD that is none, asked over a real socket. */

import assert from 'node:assert/strict';
import { type AddressInfo, createServer, type Socket } from 'node:net';
import { test } from 'node:test';
import { names } from '../../../src/node/epmd-client.js';
import { happens } from '../../support/until.js';

test('an EPMD that sends a byte now and then is given up after five seconds', async (context) => {
  const { timers } = context.mock;
  timers.enable({ apis: ['setTimeout'] });
  const epmd = createServer({ noDelay: true }).listen(0, '127.0.0.1');
  context.after(() => epmd.close());
  await happens(epmd, 'listening');
  let given = '';
  names('127.0.0.1', (epmd.address() as AddressInfo).port).catch(({ code }) => {
    given = code;
  });
  const [socket] = (await happens(epmd, 'connection')) as [Socket];
  context.after(() => socket.destroy());
  socket.on('error', () => {}).resume();
  for (let second = 0; second < 5; second += 1) {
    await new Promise((resolve) => socket.write(Buffer.of(118), resolve));
    // What was written is read in the next turn.
    for (let turn = 0; turn < 2; turn += 1) await new Promise(setImmediate);
    assert.equal(given, '');
    timers.tick(1000);
  }
  await new Promise(setImmediate);
  assert.equal(given, 'EPMD_UNREACHABLE');
});
