/** Figures out of counters: rates, how long nine of ten waited, and what a process that began anew does to them. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CometCounters, cometReport } from '../../../src/observe/comet-counters.js';
import { Feed } from '../../../src/observe/feed.js';
import { FIGURES, FigureTrack } from '../../../src/observe/figures.js';
import { Histogram, quantile } from '../../../src/observe/histogram.js';
import type { Stats } from '../../../src/observe/report.js';
import { NOTHING } from '../../../src/observe/totals.js';

const report = (stats: Partial<Stats> = {}): Stats => ({
  ...NOTHING,
  status: 'ok',
  node: 'megaphone@h',
  uptime_seconds: 1,
  state: 'in_service',
  ...stats,
});

const usage = (pid: number, cpu_seconds: number) => ({
  'megaphone@h': { pid, cpu_seconds, memory_bytes: 1000, event_loop_delay: 0.002 },
});

/** The figures of the last of these, a second apart. */
function figuresOf(...reports: Partial<Stats>[]) {
  const track = new FigureTrack();
  const snapshots = reports.map((stats, second) => track.add(report(stats), second, 1000 * second));
  const last = snapshots.at(-1);
  assert.ok(last);
  return last;
}

test('rates are of the last three seconds, and of BOSH and WebSockets together', () => {
  const at = (count: number): Partial<Stats> => ({
    requests: 2 * count,
    answers: { '2xx': count },
    bytes_in: 100 * count,
    websocket: { frames_in: count, frames_out: 3 * count, bytes_in: 10 * count, bytes_out: count },
    refused: { busy: count, full: 0 },
  });
  const { figures } = figuresOf(at(1000), at(0), at(0), at(1), at(2), at(6));
  assert.equal(figures.messages_in, (3 * 6) / 3);
  assert.equal(figures.messages_out, (4 * 6) / 3);
  assert.equal(figures.bytes_in, (110 * 6) / 3);
  assert.equal(figures.bytes_out, 6 / 3);
  assert.equal(figures.refused, 6 / 3);
});

test('what falls, as a process began anew, is no rate below zero', () => {
  const { figures } = figuresOf({ requests: 1000 }, { requests: 3 });
  assert.equal(figures.messages_in, 0);
});

test('the first second has no rates', () => {
  const { figures } = figuresOf({ requests: 1000, usage: usage(1, 5) });
  assert.equal(figures.messages_in, 0);
  assert.equal(figures.cpu, 0);
  assert.equal(figures.memory_bytes, 1000);
});

test('processor time is that of each process since, and none of one that is new', () => {
  assert.equal(figuresOf({ usage: usage(1, 5) }, { usage: usage(1, 5.5) }).figures.cpu, 0.5);
  assert.equal(figuresOf({ usage: usage(1, 5) }, { usage: usage(2, 7) }).figures.cpu, 0);
});

test('a worker without a report has its row', () => {
  const { workers } = figuresOf({
    usage: {
      'w-1@h': { pid: 7, cpu_seconds: 1, memory_bytes: 2, event_loop_delay: 0 },
      primary: { pid: 6, cpu_seconds: 1, memory_bytes: 2, event_loop_delay: 0 },
    },
    workers: { 'w-1@h': { up: true, pid: 7, restarts: 0 }, 'w-2@h': { up: false, pid: 0, restarts: 4 } },
  });
  assert.deepEqual(
    workers.map(({ name, up, restarts }) => [name, up, restarts]),
    [
      ['primary', true, 0],
      ['w-1@h', true, 0],
      ['w-2@h', false, 4],
    ],
  );
});

test('latency is that of the last ten seconds, without answers that were held', () => {
  const histogram = new Histogram();
  const reports = Array.from({ length: 13 }, (_, second) => {
    // Half a second each at first, then 2 ms; always some that are held.
    for (let count = 0; count < 10; count += 1) histogram.observe(second < 2 ? 5_000 : 20);
    for (let count = 0; count < 100; count += 1) histogram.observe(300_000);
    return { latency: { request: histogram.report() } };
  });
  const early = figuresOf(...reports.slice(0, 3)).figures;
  const late = figuresOf(...reports).figures;
  assert.ok((early.latency_p99 ?? 0) > 0.25 && (early.latency_p99 ?? 0) <= 0.5);
  assert.ok((late.latency_p99 ?? 0) > 0.001 && (late.latency_p99 ?? 0) <= 0.0025);
});

test('without answers there is no latency', () => {
  const { figures } = figuresOf({}, {});
  assert.equal(figures.latency_p50, null);
  assert.equal(figures.delay_p99, null);
});

test('a quantile is between the bounds where it lies, and no more than the last bound', () => {
  assert.equal(quantile({ '1': 10, '2': 10, '+Inf': 0, sum: 7 }, 0.5), 1);
  assert.equal(quantile({ '1': 10, '2': 10, '+Inf': 0, sum: 7 }, 0.75), 1.5);
  assert.equal(quantile({ '1': 1, '2': 0, '+Inf': 9, sum: 7 }, 0.5), 2);
  assert.equal(quantile({ '1': 0, '+Inf': 0, sum: 0 }, 0.5), null);
});

test("comet's figures are those of the last seconds, and none where it is off", () => {
  const counters = new CometCounters();
  const at = (count: number) => {
    counters.messages.any = count;
    counters.deliveries = 100 * count;
    counters.fanout.observe(20);
    const routers = [{ node: 'r@h', state: 'welcome', named: true }] as const;
    return { comet: cometReport(counters, { ids: 5, ring: { messages: 0, bytes: 0 }, routers }) };
  };
  counters.listeners.poll = 3;
  counters.listeners.socket = 4;
  const { figures, comet } = figuresOf(at(0), at(0), at(3), at(9), at(12));
  assert.deepEqual(
    [figures.comet_pages, figures.comet_ids, figures.comet_messages, figures.comet_deliveries],
    [7, 5, 4, 400],
  );
  assert.ok((figures.comet_fanout_p99 ?? 0) > 0.001 && (figures.comet_fanout_p99 ?? 0) <= 0.0025);
  assert.deepEqual(comet?.routers, [{ node: 'r@h', state: 'welcome', wanted: 1, welcome: 1 }]);
  const off = figuresOf({}, {});
  assert.deepEqual(
    [off.comet, off.figures.comet_pages, off.figures.comet_deliveries],
    [undefined, null, null],
  );
});

const LINK = {
  wanted: 1,
  up: 1,
  opened: 2,
  bytes_in: 0,
  bytes_out: 0,
  messages_in: 0,
  messages_out: 0,
  queued_bytes: 9,
  credit: 1024,
  exhausted: 0,
};
const NODE = {
  in_service: false,
  reason: 'no process is registered',
  hint: 'start it',
  state: 'in_service',
  weight: 100,
  seed: true,
  leaving: false,
  takes_sessions: false,
  tls: 'TLSv1.3',
  sessions: 5,
  sessions_started: 6,
  requests_on_the_way: 0,
  requests_waiting: 1,
};

test('a node is told with what takes it out of service, what mends that, and its link', () => {
  const at = (messages_in: number) => ({
    nodes: { 'a@h': NODE },
    links: { 'a@h': { ...LINK, messages_in } },
  });
  const { nodes, figures } = figuresOf(at(0), at(30), at(60), at(90));
  assert.equal(figures.sessions, 5);
  assert.equal(figures.link_queue_bytes, 9);
  const [node] = nodes;
  assert.equal(node?.node, 'a@h');
  assert.equal(node?.mend, 'start it');
  assert.equal(node?.credit, 1024);
  assert.deepEqual(node?.link, {
    wanted: 1,
    up: 1,
    opened: 2,
    bytes_in: 0,
    bytes_out: 0,
    messages_in: 30,
    messages_out: 0,
    queued_bytes: 9,
    tls: 'TLSv1.3',
  });
});

test('the feed keeps five minutes of figures, in columns, and times as they are', () => {
  const feed = new Feed(() => ({ version: '1.2.3', actions: true }));
  assert.equal(feed.snapshot, undefined);
  for (let second = 0; second < 1000; second += 1)
    feed.add(
      report({ connections: second, requests: 100_000 * second, certificate_ends: { https: 1_800_000_001 } }),
      second,
      1_764_000_000_123 + 1000 * second,
    );
  const { figures } = JSON.parse(feed.history);
  assert.deepEqual(Object.keys(figures), ['at', ...FIGURES]);
  for (const column of Object.values(figures) as unknown[][]) assert.equal(column.length, 300);
  assert.equal(figures.at.at(-1), 1_764_000_999);
  assert.equal(figures.connections.at(-1), 999);
  assert.ok(feed.history.length < 40_000);
  const snapshot = JSON.parse(feed.snapshot ?? '');
  assert.equal(snapshot.at, 1_764_000_999.123);
  assert.deepEqual(snapshot.gateway, {
    ...{ node: 'megaphone@h', version: '1.2.3', state: 'in_service', status: 'ok', uptime_seconds: 1 },
    certificate_ends: { https: 1_800_000_001 },
    actions: true,
  });
  assert.equal(feed.snapshot, feed.snapshot);
});
