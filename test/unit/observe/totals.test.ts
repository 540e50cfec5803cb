/** The statistics of several workers as those of one gateway, dead workers included. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { prometheusText } from '../../../src/observe/metrics.js';
import type { NodeReport, Stats } from '../../../src/observe/report.js';
import {
  addPrimary,
  NOTHING,
  retire,
  type Tally,
  total,
  type Whole,
  type WorkerState,
} from '../../../src/observe/totals.js';

const WHOLE: Whole = { node: 'megaphone@h', uptime_seconds: 7, state: 'in_service' };

const report = (stats: Partial<Stats> = {}): Stats => ({
  ...NOTHING,
  status: 'ok',
  node: 'megaphone-1@h',
  uptime_seconds: 1,
  state: 'in_service',
  ...stats,
});

const worker = (number: number, state: Partial<WorkerState> = {}): WorkerState => ({
  name: `megaphone-${number}@h`,
  up: true,
  pid: number,
  restarts: 0,
  stats: report(),
  ...state,
});

const node = (in_service: boolean, reason: string, sessions_started: number): NodeReport => ({
  in_service,
  reason,
  takes_sessions: false,
  sessions: 0,
  sessions_started,
  requests_on_the_way: 0,
  requests_waiting: 0,
});

test('counters and gauges are summed, key by key', () => {
  const stats = total(
    WHOLE,
    [
      worker(1, {
        stats: report({
          requests: 2,
          connections: 3,
          answers: { '2xx': 1, '5xx': 4 },
          websocket: { opened: 3 },
        }),
      }),
      worker(2, {
        stats: report({ requests: 5, connections: 1, answers: { '2xx': 6 }, websocket: { opened: 4 } }),
      }),
    ],
    NOTHING,
  );
  assert.equal(stats.node, 'megaphone@h');
  assert.equal(stats.uptime_seconds, 7);
  assert.equal(stats.requests, 7);
  assert.equal(stats.connections, 4);
  assert.deepEqual(stats.answers, { '2xx': 7, '5xx': 4 });
  assert.deepEqual(stats.websocket, { opened: 7 });
});

test('a node is in service if it is for some worker, and says why not for another', () => {
  const stats = total(
    WHOLE,
    [
      worker(1, { stats: report({ nodes: { 'a@h': node(true, '', 2) } }) }),
      worker(2, { stats: report({ nodes: { 'a@h': node(false, 'not connected yet', 1) } }) }),
    ],
    NOTHING,
  );
  assert.deepEqual(stats.nodes, { 'a@h': node(true, 'not connected yet', 3) });
});

test('ok while every worker serves, degraded while some do, unavailable when none does', () => {
  const lame = report({ status: 'unavailable' });
  for (const [status, workers] of [
    ['ok', [worker(1), worker(2)]],
    ['degraded', [worker(1), worker(2, { up: false })]],
    ['degraded', [worker(1), worker(2, { stats: lame })]],
    ['degraded', [worker(1), worker(2, { stats: undefined })]],
    ['unavailable', [worker(1, { stats: lame }), worker(2, { up: false })]],
  ] as const) {
    assert.equal(total(WHOLE, workers, NOTHING).status, status);
  }
});

test('a dead worker leaves what it counted, and nothing open', () => {
  const last = report({
    requests: 5,
    connections: 4,
    receiving_bytes: 1000,
    open_exchanges: 3,
    nodes: { 'a@h': node(true, 'slow', 6) },
  });
  const stats = total(WHOLE, [worker(1, { stats: undefined })], retire(NOTHING, last));
  assert.equal(stats.requests, 5);
  assert.equal(stats.connections, 0);
  assert.equal(stats.receiving_bytes, 0);
  assert.equal(stats.open_exchanges, 0);
  assert.deepEqual(stats.nodes, { 'a@h': node(false, '', 6) });
});

test('connections that no worker got count as refused', () => {
  const busy = worker(1, { stats: report({ refused: { busy: 1, overload: 2 } }) });
  assert.deepEqual(total(WHOLE, [busy], addPrimary(NOTHING, 3, 1)).refused, { busy: 1, overload: 5 });
});

test('metrics tell each worker, and for one process none', () => {
  const text = prometheusText(total(WHOLE, [worker(1), worker(2, { up: false, restarts: 3 })], NOTHING));
  assert.match(text, /\nmegaphone_worker_up\{worker="megaphone-1@h"\} 1\n/);
  assert.match(text, /\nmegaphone_worker_up\{worker="megaphone-2@h"\} 0\n/);
  assert.match(text, /# TYPE megaphone_worker_restarts_total counter\n/);
  assert.match(text, /\nmegaphone_worker_restarts_total\{worker="megaphone-2@h"\} 3\n/);
  assert.doesNotMatch(prometheusText(report()), /worker/);
});

/** Every counter as Prometheus reads it. */
function counters(stats: Stats): Map<string, number> {
  const samples = prometheusText(stats)
    .split('\n')
    .filter((line) => /^megaphone_\w+_total/.test(line));
  return new Map(
    samples.map((line) => {
      const [name = '', value] = line.split(' ');
      return [name, Number(value)];
    }),
  );
}

test('however workers count and die, no sum falls', () => {
  const slot = fc.nat(2);
  const event = fc.oneof(
    fc.record({ slot, counts: fc.record({ requests: fc.nat(9), ok: fc.nat(9), sessions: fc.nat(9) }) }),
    fc.record({ slot, counts: fc.constant('dies' as const) }),
  );
  fc.assert(
    fc.property(fc.array(event), (events) => {
      const live: (Stats | undefined)[] = [undefined, undefined, undefined];
      let retired: Tally = NOTHING;
      let before = new Map<string, number>();
      for (const { slot: at, counts } of events) {
        const stats = live[at];
        if (counts === 'dies') {
          if (stats !== undefined) retired = retire(retired, stats);
          live[at] = undefined;
        } else {
          const { requests, ok, sessions } = counts;
          live[at] = report({
            requests: (stats?.requests ?? 0) + requests,
            answers: { '2xx': (stats?.answers['2xx'] ?? 0) + ok },
            websockets: ok,
            websocket: { opened: (stats?.websocket.opened ?? 0) + ok },
            websocket_closed: { '1000': (stats?.websocket_closed['1000'] ?? 0) + requests },
            nodes: { 'a@h': node(true, '', (stats?.nodes['a@h']?.sessions_started ?? 0) + sessions) },
          });
        }
        const workers = live.map((each, i) => worker(i + 1, { stats: each, up: each !== undefined }));
        const now = counters(total(WHOLE, workers, retired));
        for (const [name, value] of before) assert.ok((now.get(name) ?? -1) >= value, name);
        before = now;
      }
    }),
  );
});
