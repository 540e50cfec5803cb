/** The statistics of several workers as those of one gateway, dead workers included. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { CometCounters, type CometReport, cometReport } from '../../../src/observe/comet-counters.js';
import { gatewayMetrics } from '../../../src/observe/metrics.js';
import { prometheusText } from '../../../src/observe/prometheus.js';
import type { LinkReport, NodeReport, Stats } from '../../../src/observe/report.js';
import {
  addPrimary,
  NOTHING,
  retire,
  type Tally,
  total,
  type Whole,
  type WorkerState,
} from '../../../src/observe/totals.js';
import type { Usage } from '../../../src/observe/usage.js';

const WHOLE: Whole = { node: 'megaphone@h', uptime_seconds: 7, state: 'in_service' };

const textOf = (stats: Stats): string => prometheusText(gatewayMetrics(stats));

const USAGE: Usage = { pid: 9, cpu_seconds: 1, memory_bytes: 2, event_loop_delay: 0.003 };

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
  hint: '',
  state: 'in_service',
  weight: 100,
  seed: true,
  leaving: false,
  takes_sessions: false,
  tls: '',
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
  assert.deepEqual(
    total(WHOLE, [busy], addPrimary(NOTHING, { refused: 3, log_lines_lost: 1, usage: USAGE, warnings: [] }))
      .refused,
    { busy: 1, overload: 5 },
  );
});

test('metrics tell each worker, and for one process none', () => {
  const text = textOf(total(WHOLE, [worker(1), worker(2, { up: false, restarts: 3 })], NOTHING));
  assert.match(text, /\nmegaphone_worker_up\{worker="megaphone-1@h"\} 1\n/);
  assert.match(text, /\nmegaphone_worker_up\{worker="megaphone-2@h"\} 0\n/);
  assert.match(text, /# TYPE megaphone_worker_restarts_total counter\n/);
  assert.match(text, /\nmegaphone_worker_restarts_total\{worker="megaphone-2@h"\} 3\n/);
  assert.doesNotMatch(textOf(report()), /worker/);
});

test('links, durations and certificates of workers are one: sums, whether all are up, and the end that comes first', () => {
  const link = (up: number, credit: number): LinkReport => ({
    ...{ wanted: 1, up, opened: 1, bytes_in: 10, bytes_out: 20, messages_in: 1, messages_out: 2 },
    ...{ queued_bytes: 5, credit, exhausted: Number(credit === 0) },
  });
  const one = report({
    links: { 'a@h': link(1, 1000), 'b@h': link(1, 0) },
    delay: { 'a@h': { '0.001': 1, '+Inf': 1, sum: 200 } },
    latency: { session: { '0.001': 2, '+Inf': 0, sum: 0.001 } },
    certificate_ends: { https: 2000 },
  });
  const other = report({
    links: { 'a@h': link(0, 24), 'b@h': link(1, 7) },
    delay: { 'a@h': { '0.001': 4, '+Inf': 0, sum: 0.002 } },
    certificate_ends: { https: 1000, distribution: 3000 },
  });
  const both = total(WHOLE, [worker(1, { stats: one }), worker(2, { stats: other })], NOTHING);
  assert.deepEqual(both.certificate_ends, { https: 1000, distribution: 3000 });
  const text = textOf(both);
  for (const sample of [
    'link_up{node="a@h"} 0',
    'link_up{node="b@h"} 1',
    'link_credit{node="a@h"} 1024',
    'link_credit_exhausted{node="b@h"} 1',
    'link_received_bytes_total{node="a@h"} 20',
    'node_delay_seconds_bucket{node="a@h",le="0.001"} 5',
    'node_delay_seconds_count{node="a@h"} 6',
    'node_delay_seconds_sum{node="a@h"} 200.002',
    'answer_duration_seconds_count{kind="session"} 2',
  ]) {
    assert.ok(text.includes(`\nmegaphone_${sample}\n`), sample);
  }
  const dead = total(WHOLE, [worker(1, { stats: undefined })], retire(NOTHING, one));
  const { opened, bytes_in, queued_bytes, exhausted } = dead.links['b@h'] ?? assert.fail();
  assert.deepEqual([opened, bytes_in, queued_bytes, exhausted], [1, 10, 0, 0]);
  assert.match(textOf(dead), /\nmegaphone_link_up\{node="b@h"\} 0\n/);
  assert.deepEqual([dead.certificate_ends, dead.latency], [{}, one.latency]);
});

/** Of one process, at which that many pages listen over a WebSocket and have got a message each. */
function comet(pages: number, state: 'asked' | 'welcome'): CometReport {
  const counters = new CometCounters();
  counters.listeners.socket = pages;
  counters.opened.socket = pages;
  counters.listeners.chunked = 1;
  counters.listeners.raw = 1;
  counters.messages.router = 1;
  counters.deliveries = pages;
  counters.replays.hole = 1;
  counters.fanout.observe(20);
  // A shell, and an ejabberd without a router, are none.
  const routers = [
    { node: 'r@h', state, named: true },
    { node: 'shell@h', state: 'asked' as const, named: false },
  ];
  return cometReport(counters, { ids: 1, ring: { messages: 2, bytes: 100 }, routers });
}

test('comet of workers is one: sums, and a router is welcome where each is', () => {
  const workers = (...states: ('asked' | 'welcome')[]) =>
    states.map((state, at) => worker(at + 1, { stats: report({ comet: comet(3, state) }) }));
  const text = textOf(total(WHOLE, workers('welcome', 'asked'), NOTHING));
  for (const sample of [
    'listeners{transport="websocket"} 6',
    'listeners{transport="stream"} 4',
    'messages_total{way="router"} 2',
    'deliveries_total 6',
    'replays_total{for="hole"} 2',
    'ring_bytes 200',
    'fanout_seconds_count 2',
    'router_welcome{node="r@h"} 0',
  ]) {
    assert.ok(text.includes(`\nmegaphone_comet_${sample}\n`), sample);
  }
  const both = total(WHOLE, workers('welcome', 'welcome'), NOTHING);
  assert.deepEqual(both.comet?.routers, { 'r@h': { state: 'welcome', wanted: 2, welcome: 2 } });
  assert.equal(total(WHOLE, workers('welcome', 'asked'), NOTHING).comet?.routers['r@h']?.state, 'asked');
});

test('comet of a worker that died leaves what it counted, and nobody who listens', () => {
  const dead = total(WHOLE, [], retire(NOTHING, report({ comet: comet(3, 'welcome') }))).comet;
  assert.deepEqual([dead?.deliveries, dead?.opened.websocket, dead?.latency.fanout?.['0.0025']], [3, 3, 1]);
  assert.deepEqual([dead?.listeners.websocket, dead?.ids, dead?.ring.bytes, dead?.routers], [0, 0, 0, {}]);
});

test('nothing of comet is told where it is off', () => {
  const off = total(WHOLE, [worker(1), worker(2)], retire(NOTHING, report()));
  assert.ok(!('comet' in off));
  assert.doesNotMatch(textOf(off), /comet/);
});

/** Every counter as Prometheus reads it. */
function counters(stats: Stats): Map<string, number> {
  const samples = textOf(stats)
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
