/** The agent for HAProxy: what it says, and that whoever connects costs next to nothing. */

import assert from 'node:assert/strict';
import { connect, type Socket } from 'node:net';
import { after, before, test } from 'node:test';
import { pino } from 'pino';
import { agentWord, listenAsAgent } from '../../../src/http/agent-server.js';
import type { BriefServer } from '../../../src/http/brief-server.js';
import { Faults } from '../../../src/observe/faults.js';
import { GATEWAY_STATES, type Health } from '../../../src/observe/report.js';
import { until } from '../../support/until.js';

const health: { state: Health['state']; status: Health['status'] } = { state: 'in_service', status: 'ok' };
let agent: BriefServer;
before(async () => {
  agent = await listenAsAgent('127.0.0.1', 0, () => health, new Faults(pino({ level: 'silent' })));
});
after(() => agent.close());

function open(text = ''): {
  readonly socket: Socket;
  readonly heard: () => string;
  readonly end: Promise<void>;
} {
  const socket = connect({ port: agent.port, host: '127.0.0.1', allowHalfOpen: true });
  let heard = '';
  socket.setEncoding('latin1').on('data', (data) => {
    heard += data;
  });
  const end = new Promise<void>((resolve) => {
    socket.on('error', () => resolve());
    socket.on('end', () => resolve());
  });
  if (text !== '') socket.write(text);
  return { socket, heard: () => heard, end };
}

test('a word for each state', () => {
  const words = GATEWAY_STATES.map((state) => agentWord({ state, status: 'ok' }));
  assert.deepEqual(words, ['up ready', 'drain', 'maint', 'drain']);
  assert.equal(agentWord({ state: 'in_service', status: 'degraded' }), 'up ready');
  assert.match(agentWord({ state: 'in_service', status: 'unavailable' }), /^down ready #/);
  assert.equal(agentWord({ state: 'drained', status: 'unavailable' }), 'maint');
});

test('it is said at once, as it is then, whatever the other side sends, and that is the end', async () => {
  for (const text of ['', 'gateway1\n', 'x'.repeat(100_000)]) {
    health.state = 'in_service';
    const first = open(text);
    await first.end;
    assert.equal(first.heard(), 'up ready\n');
    health.state = 'drained';
    const second = open(text);
    await second.end;
    assert.equal(second.heard(), 'maint\n');
    for (const { socket } of [first, second]) socket.destroy();
  }
});

test('those who stay are cut, the longest first, so that others are served', async () => {
  health.state = 'in_service';
  const stayers = Array.from({ length: 150 }, () => open());
  await Promise.all(stayers.map(({ end }) => end));
  // Room for a hundred: the first had to go, the last may still be there.
  await until(() => stayers.slice(0, 40).every(({ socket }) => socket.destroyed || isCut(socket)));
  const other = open();
  await other.end;
  assert.equal(other.heard(), 'up ready\n');
  for (const { socket } of [...stayers, other]) socket.destroy();
});

/** What is written to it now comes back as an error. */
function isCut(socket: Socket): boolean {
  socket.write('x');
  return socket.destroyed;
}

test('who never ends is cut after a while', async () => {
  const { socket, end } = open();
  await end;
  await until(() => isCut(socket));
});
