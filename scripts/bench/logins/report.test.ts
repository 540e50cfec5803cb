/** What the benchmark of logins says of made-up results: columns, memory, targets. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SERVERS, type SubjectName } from '../lib/subjects.js';
import { type LoginResults, loginReport, loginTargets } from './report.js';
import type { Round } from './subject.js';

const round = (perSecond: number): Round => ({
  perSecond,
  cpu: { server: 0.001, front: 0.0005 },
  loadCpu: 0.0001,
  counts: { requests: 6, reductions: 20_000, schedulings: 40 },
});

const results = (count: number, mine: number): LoginResults => ({
  machine: 'a machine',
  cores: { count, servers: '0,1', load: '0,1', areShared: true },
  date: '2026-01-02T03:04:05Z',
  isTrial: false,
  rounds: {
    'own-websocket': [round(1000), round(2000)],
    'megaphone-websocket': [round(mine), round(2 * mine)],
  },
  memory: {
    'own-websocket': { server: 99_000, front: 0 },
    'megaphone-websocket': { server: 5_900, front: 3_600 },
  } satisfies Partial<Record<SubjectName, unknown>>,
});

test('has a column for each server, and what was not measured is no number', () => {
  const lines = loginReport([results(4, 1400)]).split('\n');
  const memory = lines.find((line) => line.startsWith('| Memory')) ?? '';
  assert.equal(memory.split('|').length - 2, 1 + SERVERS.length + 2);
  assert.equal(memory, '| Memory of an idle user: server | – | – | 99.0 kB | 5.9 kB | – | – |  | 0.06 |');
  assert.ok(
    lines.some((line) =>
      line.includes('logins a second, at most | – | – | 1500 | 2100 | – | – |  | 1.40 (1.40–1.40) |'),
    ),
  );
});

test('holds memory and logins against their targets, on the most cores', () => {
  const targets = loginTargets([results(4, 1200), results(2, 1400)]);
  assert.deepEqual(
    targets.map(({ wanted, measured, isMet }) => [wanted, measured, isMet]),
    [
      ['at most 6.0 kB', '5.9 kB', true],
      ['at most 3.5 kB', '3.6 kB', false],
      ['at least 1.30', '1.20 (1.20–1.20): 1800, own 1500', false],
    ],
  );
  assert.match(
    targets[2]?.why ?? '',
    /1\.60 ms of the 4 cores' time instead of 1\.60, with that of the load/,
  );
  assert.deepEqual(loginTargets([]), []);
});
