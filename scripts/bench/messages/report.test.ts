/** What the benchmark of messages says of made-up results: ratios, targets and why they are missed, counts, plots. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DOMParser } from '@xmldom/xmldom';
import { SUBJECTS, type SubjectName } from '../lib/subjects.js';
import { targetLines, targetReport } from '../lib/targets.js';
import { cpuPlot, latencyPlot } from './plots.js';
import { countTable, highestTable, messageReport, messageTable } from './report.js';
import type { MessageResults } from './results.js';
import type { Sample } from './subject.js';
import { messageTargets } from './targets.js';

/** Seconds for a message, and milliseconds. */
const SERVER: Readonly<Partial<Record<SubjectName, number>>> = {
  'megaphone-bosh': 0.0003,
  'megaphone-websocket': 0.0002,
};
const P99: Readonly<Partial<Record<SubjectName, number>>> = {
  'own-websocket': 4,
  'megaphone-websocket': 4.9,
};

const sample = (subject: SubjectName, round: number): Sample => ({
  delivered: 1000,
  keptUp: 1,
  late: 0,
  // Each round twice as dear as the one before, for all.
  cpu: {
    server: (SERVER[subject] ?? 0.0004) * 2 ** round,
    front: (subject.startsWith('megaphone') || subject === 'haproxy' ? 0.0001 : 0) * 2 ** round,
  },
  loadCpu: 0.0001,
  p50: 1,
  p99: P99[subject] ?? 3,
  lag99: 0.5,
  counts: subject.startsWith('prosody')
    ? { requests: 1 }
    : { requests: 2, reductions: 4000, serverCalls: 20 },
});

function resultsAt(rate: number, subjects: readonly SubjectName[] = SUBJECTS): MessageResults {
  return {
    machine: 'a machine',
    cores: { count: 2, servers: '0,1', load: '2,3', areShared: false },
    date: '2026-01-02T03:04:05Z',
    isTrial: false,
    settings: '500 users',
    cells: [0, 1, 2].flatMap((round) =>
      subjects.map((subject) => ({
        pattern: 'random' as const,
        rate,
        round,
        subject,
        sample: sample(subject, round),
      })),
    ),
    highest: [
      { pattern: 'random', subject: 'own-websocket', rate: 4000, tries: [] },
      { pattern: 'random', subject: 'megaphone-websocket', rate: 10_000, tries: [] },
    ],
    lost: { 'own-websocket': 3, 'megaphone-websocket': 0 },
  };
}
const results = resultsAt(500);

test('has a column for each, and the ratio on each transport, round by round', () => {
  const [head = [], cpu = [], server = []] = messageTable(results, 'random');
  assert.equal(head.length, 1 + SUBJECTS.length + 2);
  assert.deepEqual(cpu, [
    '**500 a second**: processor time',
    ...['0.800 ms', '1.000 ms', '0.800 ms', '0.800 ms', '0.600 ms', '0.800 ms', '0.800 ms'],
    '1.00 (1.00–1.00)',
    '0.75 (0.75–0.75)',
  ]);
  assert.deepEqual(server.slice(-2), ['0.75 (0.75–0.75)', '0.50 (0.50–0.50)']);
});

test('says nothing of what was not measured', () => {
  const [, cpu = []] = messageTable(resultsAt(500, ['own-websocket', 'megaphone-websocket']), 'random');
  assert.deepEqual(cpu.slice(1), ['–', '–', '–', '0.800 ms', '0.600 ms', '–', '–', '', '0.75 (0.75–0.75)']);
  const rows = new Map(countTable(results, 'random', 500).map(([name = '', ...cells]) => [name, cells]));
  assert.deepEqual(rows.get('— reductions'), ['4000', '4000', '4000', '4000', '4000', '–', '–']);
});

test('reports the highest rate and losses', () => {
  const [, highest = [], lost = []] = highestTable(results);
  assert.deepEqual(highest.slice(4), ['4000', '10000', '–', '–', '–', '2.50']);
  assert.deepEqual(lost.slice(4, 6), ['3', '0']);
  assert.ok(messageReport(results).includes('500 users. a machine; 2026-01-02.'));
});

const metAt = (rate: number) =>
  Object.fromEntries(messageTargets(resultsAt(rate)).map(({ name, isMet }) => [name, isMet]));

test('holds each figure against its target, which depends on the rate', () => {
  assert.deepEqual(metAt(500), {
    "Processor time of a message in ejabberd at 500/s, by own WebSocket's": true,
    'The same with the gateway at 500/s': true,
    "p99 at 500/s, beside own WebSocket's": true,
    "Highest clean rate, by own WebSocket's": true,
    "Processor time of a message with the gateway at 500/s, by Megaphone BOSH's": false,
  });
  const [, withGateway] = messageTargets(resultsAt(1500));
  assert.equal(withGateway?.wanted, 'at most 0.75');
  assert.equal(metAt(1500)["p99 at 1500/s, beside own WebSocket's"], true);
  assert.equal(metAt(3000)["p99 at 3000/s, beside own WebSocket's"], false);
});

test('explains what is missed, and nothing else, and counts what is met at the very end', () => {
  const targets = messageTargets(results);
  const report = targetReport(targets);
  assert.match(report, /^\*\*Targets met: 4 of 5\.\*\*/);
  assert.equal(report.match(/^- /gm)?.length, 1);
  assert.match(
    report,
    /by Megaphone BOSH's\.\*\* In ejabberd 0\.400 instead of 0\.600 ms: 20\.0 instead of 20\.0 system calls/,
  );
  assert.deepEqual(targetLines(targets), [
    "missed: Processor time of a message with the gateway at 500/s, by Megaphone BOSH's: 0.75 (0.75–0.75), at most 0.50",
    'targets met 4 of 5',
  ]);
});

const numbers = (svg: string, tag: string, attribute: string): number[] =>
  Array.from(new DOMParser().parseFromString(svg, 'image/svg+xml').getElementsByTagName(tag), (element) =>
    Number(element.getAttribute(attribute)),
  );

test('draws bars as high as their values, and lower latencies lower', () => {
  // Background and two entries of the legend, then both parts of each bar.
  const heights = numbers(cpuPlot(results), 'rect', 'height').slice(3);
  const of = (subject: SubjectName, part: number): number =>
    heights[SUBJECTS.indexOf(subject) * 2 + part] ?? 0;
  const own = of('own-websocket', 0);
  assert.ok(Math.abs(of('megaphone-websocket', 0) / own - 0.5) < 0.01);
  assert.ok(Math.abs(of('megaphone-websocket', 1) / own - 0.25) < 0.01);
  const latencies = numbers(latencyPlot(results), 'circle', 'cy');
  assert.equal(latencies.length, SUBJECTS.length);
  assert.ok(
    (latencies[SUBJECTS.indexOf('own-bosh')] ?? 0) > (latencies[SUBJECTS.indexOf('own-websocket')] ?? 0),
  );
});
