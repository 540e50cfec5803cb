/** docs/metrics.md and the endpoint name the same metrics, each with its type and its labels. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { Counters } from '../../../src/observe/counters.js';
import { Histogram } from '../../../src/observe/histogram.js';
import { gatewayMetrics } from '../../../src/observe/metrics.js';
import { moduleMetrics } from '../../../src/observe/module-metrics.js';
import { ProcessReport } from '../../../src/observe/process-metrics.js';
import type { Metric } from '../../../src/observe/prometheus.js';
import { stats } from '../../../src/observe/report.js';

const read = (file: string): string => readFileSync(new URL(`../../../../${file}`, import.meta.url), 'utf8');

const link = {
  isUp: true,
  tls: '',
  opened: 0,
  bytesIn: 0,
  bytesOut: 0,
  framesIn: 0,
  framesOut: 0,
  queuedBytes: 0,
};
const node = {
  name: 'a@h',
  kind: 'module',
  reason: '',
  hint: '',
  takesSessions: true,
  isLeaving: false,
  room: { state: 'in_service', weight: 100, started: 0, sessions: 0 },
  outbox: { onTheWay: 0, credit: 0, delay: new Histogram(), waiting: { size: 0 } },
} as const;
const none = (): number => 0;
const counters = new Counters();
const gateway = {
  ...stats({
    ...{ node: 'megaphone@h', counters, startedAt: 0, nodes: () => [node], state: () => 'in_service' },
    ...{ openExchanges: none, websockets: none, connections: none, receiving: none },
    ...{ link: () => link, certificates: () => ({ https: 1 }), isSeed: () => true },
    comet: () => ({
      ids: 0,
      ring: { messages: 0, bytes: 0 },
      routers: [{ node: 'a@h', state: 'asked', named: true }],
    }),
    usage: () => ({ pid: 1, cpu_seconds: 0, memory_bytes: 0, event_loop_delay: 0 }),
  }),
  workers: { 'megaphone-1@h': { up: true, pid: 1, restarts: 0 } },
};

/** What the module counts, as its source has it: the list of counters, and the keys of gauges and groups. */
function ofModule(): Metric[] {
  const source = read('erl/mod_megaphone/src/megaphone_stats.erl');
  const counted = /-define\(NAMES, \[(.*?)\]\)/s.exec(source)?.[1] ?? '';
  const names = [...counted.matchAll(/\w+/g)].map(([name]) => name);
  const others = [...source.matchAll(/^ {8}(\w+) =>/gm)].map(([, name = '']) => name);
  assert.ok(names.length > 20 && others.length > 8);
  const counts = Object.fromEntries([...names, ...others].map((name) => [name, 0]));
  const groups = { terminated: { client: 0 }, login_ms: { 50: 0, infinity: 0, sum: 0 } };
  return moduleMetrics({ 'a@h': { ...counts, ...groups } });
}

const labelsOf = ({ samples }: Metric): string =>
  Object.keys(samples.at(-1)?.labels ?? {})
    .map((label) => `\`${label}\``)
    .join(', ');

test('each metric has its row, with type and labels, and no other row is there', async () => {
  const metrics = [...gatewayMetrics(gateway), ...ofModule(), ...(await new ProcessReport().read())];
  const there = metrics.map((metric) => {
    // Not collected anything yet.
    const labels = metric.name === 'nodejs_gc_duration_seconds' ? '`kind`' : labelsOf(metric);
    return `${metric.name} ${metric.type} ${labels}`;
  });
  const rows = [...read('docs/metrics.md').matchAll(/^\| `(\w+)` \| (gauge|counter|histogram) \|(.*?)\|/gm)];
  const told = rows.map(([, name, type, labels = '']) => `${name} ${type} ${labels.trim()}`);
  assert.deepEqual(told.sort(), there.sort());
});

test('each cause of a refusal is explained, and no other', () => {
  const section = /### Refusals\n(.*?)\n## /s.exec(read('docs/metrics.md'))?.[1] ?? '';
  const told = [...section.matchAll(/^\| (`.*?`) \|/gm)].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`(\w+)`/g)].map(([, reason]) => reason),
  );
  assert.deepEqual(told.filter((reason) => reason !== 'reason').sort(), Object.keys(counters.refused).sort());
});

test("names keep Prometheus' rules: base units, and _total for what only grows", () => {
  for (const { name, type } of [...gatewayMetrics(gateway), ...ofModule()]) {
    assert.equal(type === 'counter', name.endsWith('_total'), name);
    assert.doesNotMatch(name, /milli|micro|_ms_|_kb|_count$|_sum$|_bucket$/, name);
  }
});
