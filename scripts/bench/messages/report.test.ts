/** What the benchmark of messages says of made-up results: ratios and goals, explanations, counts, plots. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DOMParser } from '@xmldom/xmldom';
import { SUBJECTS, type SubjectName } from '../lib/server.js';
import { explanations } from './explanation.js';
import { cpuPlot, latencyPlot } from './plots.js';
import { countTable, messageReport, messageTable } from './report.js';
import type { MessageResults } from './results.js';
import type { Sample } from './subject.js';

const sample = (subject: SubjectName, round: number): Sample => ({
  delivered: 1000,
  late: 0,
  // Each round twice as dear as the one before, for all.
  cpu: {
    ejabberd: (subject === 'megaphone' ? 0.0002 : 0.0004) * 2 ** round,
    gateway: (subject === 'own' ? 0 : 0.0002) * 2 ** round,
  },
  loadCpu: 0.0001,
  p50: 1,
  p99: subject === 'own' ? 4 : 3,
  lag99: 0.5,
  counts: { requests: 2, reductions: 4000, ejabberdCalls: 20, frontCalls: 8 },
});
const results: MessageResults = {
  machine: 'a machine',
  cores: { count: 2, servers: '0,1', load: '2,3', areShared: false },
  date: '2026-01-02T03:04:05Z',
  isTrial: false,
  cells: [0, 1, 2].flatMap((round) =>
    SUBJECTS.map((subject) => ({
      pattern: 'random' as const,
      rate: 500,
      round,
      subject,
      sample: sample(subject, round),
    })),
  ),
  highest: [
    { pattern: 'random', subject: 'own', rate: 4000, tries: [] },
    { pattern: 'random', subject: 'megaphone', rate: 10_000, tries: [] },
  ],
  lost: { own: 3, megaphone: 0 },
};

test('compares each figure, and says whether its goal is met', () => {
  const [, cpu, ejabberd, , p99] = messageTable(results, 'random');
  assert.deepEqual(cpu, [
    '**500 a second**: processor time',
    '0.800 ms',
    '1.200 ms',
    '0.800 ms',
    '1.00 (1.00–1.00)',
    '0.67 (0.67–0.67)',
    'at most 0.75: **no**',
  ]);
  assert.equal(ejabberd?.[4], '0.50 (0.50–0.50)');
  assert.deepEqual([p99?.[3], p99?.[6]], ['3.0 ms', 'at most 1.00: yes']);
});

test('explains what is above its goal, and nothing else', () => {
  const [line = '', ...others] = explanations(results);
  assert.match(line, /random, 500 a second: processor time 1\.00.* In ejabberd it is 0\.50/);
  assert.match(line, /the goal leaves 0\.200 ms/);
  assert.deepEqual(others, []);
});

test('shows counts of all servers, and none where they are missing', () => {
  const rows = new Map(countTable(results, 'random').map(([name = '', cell]) => [name, cell]));
  assert.equal(rows.get('HTTP requests of the clients'), '2.0 / 2.0 / 2.0');
  assert.equal(rows.get('— garbage collections'), '– / – / –');
});

test('reports the highest rate and losses', () => {
  const report = messageReport(results);
  assert.ok(report.includes('at most, a second | 4000 | 10000 | 2.50 | at least 2.00: yes |'), report);
  assert.ok(report.includes('| Messages lost in all | 3 | 0 |  | 0: yes |'));
});

const numbers = (svg: string, tag: string, attribute: string): number[] =>
  Array.from(new DOMParser().parseFromString(svg, 'image/svg+xml').getElementsByTagName(tag), (element) =>
    Number(element.getAttribute(attribute)),
  );

test('draws bars as high as their values, and lower latencies lower', () => {
  // Background, two entries of the legend, then both parts of three bars.
  const [own = 0, , , , megaphone = 0, gateway = 0] = numbers(cpuPlot(results), 'rect', 'height').slice(3);
  assert.ok(Math.abs(megaphone / own - 0.5) < 0.01 && Math.abs(gateway / own - 0.5) < 0.01);
  const [ownLatency = 0, , megaphoneLatency = 0] = numbers(latencyPlot(results), 'circle', 'cy');
  assert.ok(megaphoneLatency > ownLatency);
});
