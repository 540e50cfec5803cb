/** Where results go: always to var/bench, and those worth showing into the documentation, between its markers. */

import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../support/root.js';
import { cpuPlot, latencyPlot, memoryPlot } from '../plots.js';
import { comparison, markdownComparison } from '../report.js';
import type { Results } from '../results.js';

const DOCUMENT = join(root, 'docs', 'benchmarks.md');

/** @returns the file */
export function save(name: string, results: object): string {
  return write(join(root, 'var', 'bench'), `${name}.json`, `${JSON.stringify(results, null, 2)}\n`);
}

/** Writes the table, the plots and the figures they are made of. Returns the files. */
export function publish(results: Results): string[] {
  const folder = join(root, 'docs', 'bench');
  const { machine, date, isTrial } = results;
  const heading = describeRun(machine, date, isTrial);
  const text = `${heading}\n\n${markdownComparison(comparison(results))}`;
  return [
    write(folder, 'bench.json', `${JSON.stringify(results, null, 2)}\n`),
    write(folder, 'latency.svg', latencyPlot(results)),
    write(folder, 'cpu.svg', cpuPlot(results)),
    write(folder, 'memory.svg', memoryPlot(results)),
    publishSection('bench', text),
  ];
}

/** The line above a table. */
export const describeRun = (machine: string, date: string, isTrial: boolean): string =>
  `${machine}; ${date.slice(0, 10)}.${isTrial ? ' **A short trial run, not the full benchmark.**' : ''}`;

/** Replaces what stands between `<!-- NAME -->` and `<!-- /NAME -->` in docs/benchmarks.md. Returns the file. */
export function publishSection(name: string, text: string): string {
  writeFileSync(DOCUMENT, replaceSection(readFileSync(DOCUMENT, 'utf8'), name, text));
  return DOCUMENT;
}

/** @throws Error where the markers are missing */
export function replaceSection(document: string, name: string, text: string): string {
  const [begin, end] = [`<!-- ${name} -->`, `<!-- /${name} -->`];
  const from = document.indexOf(begin);
  const to = document.indexOf(end);
  if (from < 0 || to < from) throw new Error(`docs/benchmarks.md has no ${begin} … ${end}`);
  return `${document.slice(0, from + begin.length)}\n${text}\n${document.slice(to)}`;
}

function write(folder: string, name: string, text: string): string {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}
