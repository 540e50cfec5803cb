import assert from 'node:assert/strict';
import { test } from 'node:test';
import { DOMParser } from '@xmldom/xmldom';
import { cpuPlot, latencyPlot, memoryPlot } from '../plots.js';
import { comparison, markdownComparison } from '../report.js';
import type { Results, Side } from '../results.js';
import { replaceSection } from './publish.js';
import { roundUp } from './svg-chart.js';

const usage = (ejabberd: number, gateway: number) => ({ ejabberd, gateway });
const side = (scale: number, gateway: number): Side => ({
  memory: usage(100_000 * scale, gateway * 5_000),
  logins: { perSecond: 400 / scale, cpu: usage(0.0025, 0), loadCpu: 0.001 },
  traffic: [500, 1500].map((rate) => ({
    rate,
    delivered: rate * 30,
    late: 0,
    cpu: usage(0.0004 * scale, gateway * 0.0001),
    loadCpu: 0.0001,
    latency: { p50: 1, p90: 2, p99: 4 * scale },
  })),
  highest: 2_000 / scale,
  steps: [
    { rate: 2_000, latency: { p50: 1, p90: 2, p99: 900 * scale }, late: 0, isClean: false },
    { rate: 2_000, latency: { p50: 1, p90: 2, p99: 90 * scale }, late: 0, isClean: true },
  ],
  lost: 0,
});
const results: Results = {
  machine: 'a machine',
  date: '2026-01-02T03:04:05Z',
  isTrial: false,
  settings: {},
  own: side(1, 0),
  megaphone: side(0.5, 1),
};

test('compares each figure, and says whether its goal is met', () => {
  const rows = new Map(comparison(results).map((row) => [row.name, row]));
  assert.deepEqual(rows.get('Logins a second, at most'), {
    name: 'Logins a second, at most',
    own: '400',
    megaphone: '800',
    ratio: '2.00',
    goal: 'at least 2.00: yes',
  });
  const sums = comparison(results).filter(({ name }) => name === '— sum');
  assert.deepEqual(
    sums.map(({ megaphone, ratio, goal }) => [megaphone, ratio, goal]),
    [
      ['55.0 kB', '0.55', 'at most 13 kB: no'],
      ['2.500 ms', '1.00', ''],
      ['0.300 ms', '0.75', 'at most 0.75: yes'],
      ['0.300 ms', '0.75', 'at most 0.75: yes'],
    ],
  );
  const lines = markdownComparison(comparison(results)).split('\n');
  assert.equal(lines[1], '| --- | ---: | ---: | ---: | ---: |');
  assert.equal(lines.length, 2 + comparison(results).length);
});

test('replaces a section between its markers and nothing else', () => {
  const document = 'a\n<!-- x -->\nold\n<!-- /x -->\nb <!-- y --><!-- /y -->';
  const once = replaceSection(document, 'x', 'new');
  assert.equal(once, 'a\n<!-- x -->\nnew\n<!-- /x -->\nb <!-- y --><!-- /y -->');
  assert.equal(replaceSection(once, 'x', 'new'), once);
  assert.throws(() => replaceSection(document, 'z', 'new'), /no <!-- z -->/);
});

const plot = (svg: string) => new DOMParser().parseFromString(svg, 'image/svg+xml');
const numbers = (svg: string, tag: string, attribute: string): number[] =>
  Array.from(plot(svg).getElementsByTagName(tag), (element) => Number(element.getAttribute(attribute)));

test('draws bars as high as their values', () => {
  // Background, two entries of the legend, then both parts of both bars.
  const heights = numbers(memoryPlot(results), 'rect', 'height').slice(3);
  const [own = 0, ownGateway, server = 0, gateway = 0] = heights;
  assert.equal(ownGateway, 0);
  assert.ok(Math.abs(server / own - 0.5) < 0.01 && Math.abs(gateway / own - 0.05) < 0.01, String(heights));
  assert.equal(numbers(cpuPlot(results), 'rect', 'height').length, 3 + 2 * 2 * 2);
});

test('draws the better try of each rate, lower latencies lower', () => {
  const heights = numbers(latencyPlot(results), 'circle', 'cy');
  assert.equal(heights.length, 6);
  const [own500 = 0, , own2000 = 0, megaphone500 = 0] = heights;
  assert.ok(megaphone500 > own500 && own500 > own2000);
});

test('ends an axis at a round number', () => {
  assert.deepEqual([1, 1.5, 37, 61, 95, 100.1].map(roundUp), [1, 2, 40, 80, 100, 200]);
});
