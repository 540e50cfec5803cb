/** A fault in a report fails for who wanted it, and is told in the log; the process lives on. */

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, test } from 'node:test';
import { pino } from 'pino';
import { AdminServer } from '../../../src/http/admin-server.js';
import { listenAsAgent } from '../../../src/http/agent-server.js';
import { Faults } from '../../../src/observe/faults.js';
import type { Reports } from '../../../src/observe/report.js';
import { until } from '../../support/until.js';
import { NO_DESK } from './no-desk.js';

let lines: string[] = [];
const log = pino({}, { write: (line) => lines.push(line) });
afterEach(() => {
  lines = [];
});

const isTold = (): boolean => lines.length === 1 && /no report today.*GATEWAY_FAULT/.test(lines[0] ?? '');

const fail = (): never => {
  throw new TypeError('no report today');
};

test('of the feed, once a second', async () => {
  let asked = 0;
  const stats = (): never => {
    asked += 1;
    return fail();
  };
  const reports: Reports = { state: () => 'in_service', health: fail, stats, asked: fail };
  const config = {
    node: 'megaphone@localhost',
    admin_ip: '127.0.0.1',
    admin_port: 0,
    admin_token_file: '',
    admin_hosts: [],
  };
  const admin = await AdminServer.listen(config, reports, NO_DESK, log);
  try {
    await until(() => asked === 2);
    assert.ok(isTold(), lines.join(''));
  } finally {
    await admin.close();
  }
});

test('of the agent: nothing is said, so what was said last stays', async () => {
  let health: () => { state: 'in_service'; status: 'ok' } = fail;
  const agent = await listenAsAgent('127.0.0.1', 0, () => health(), new Faults(log));
  const ask = (): Promise<string> => text(connect(agent.port, '127.0.0.1'));
  try {
    assert.equal(await ask(), '');
    assert.ok(isTold(), lines.join(''));
    health = () => ({ state: 'in_service', status: 'ok' });
    assert.equal(await ask(), 'up ready\n');
  } finally {
    await agent.close();
  }
});

test('of who must be told something: what was so last', () => {
  let count = 0;
  const counted = new Faults(log).lasting(() => {
    count += 1;
    return count === 3 ? fail() : count;
  });
  assert.deepEqual([counted(), counted(), counted()], [2, 2, 4]);
  assert.ok(isTold(), lines.join(''));
});
