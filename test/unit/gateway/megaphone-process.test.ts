/** What is asked of the process `megaphone` is answered, also where it fails. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { pino } from 'pino';
import { atom, Opaque, Pid, type Term, tuple } from '../../../src/etf/terms.js';
import { Gateway } from '../../../src/gateway/gateway.js';
import { MegaphoneProcess, type PlainReports } from '../../../src/gateway/megaphone-process.js';
import { Counters } from '../../../src/observe/counters.js';
import { Faults } from '../../../src/observe/faults.js';
import { until } from '../../support/until.js';
import { FakeNode, OPTIONS } from './fake-node.js';
import './never.js';

const fail = (): never => {
  throw new TypeError('no report today');
};

test('a request that fails by a fault of the gateway is answered, and told in the log', async () => {
  const lines: string[] = [];
  const log = pino({}, { write: (line) => lines.push(line) });
  const answers: Term[] = [];
  const node = { reply: (_: unknown, answer: Term): boolean => answers.push(answer) > 0 };
  const reports: PlainReports = {
    stats: () => Promise.reject(new TypeError('no report today')),
    figures: fail,
    health: fail,
    about: () => ({ name: 'this one' }),
    order: fail,
    outside: () => undefined,
  };
  const gateway = new Gateway(new FakeNode().asNode, OPTIONS, new Counters(), log);
  const megaphone = new MegaphoneProcess(node, gateway, reports, new Faults(log));
  const requests = ['stats', 'figures', 'health', 'drain', 'resume', 'about', 'no such'];
  for (const request of requests) {
    const before = answers.length;
    const from = new Pid('shell@localhost', 1, 0, 1);
    megaphone.deliver(tuple(atom('$gen_call'), tuple(from, 1), atom(request)), 'shell@localhost');
    await until(() => answers.length > before);
  }
  const fault = tuple(atom('error'), atom('fault'));
  assert.deepEqual(answers.slice(0, 5), Array(5).fill(fault));
  assert.ok(answers[5] instanceof Opaque);
  assert.deepEqual(answers[6], tuple(atom('error'), atom('unknown_request')));
  const faults = lines.filter((line) => /no report today.*GATEWAY_FAULT/.test(line));
  assert.equal(faults.length, 1);
});
