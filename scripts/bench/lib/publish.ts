/** Where results go: to var/bench, and those worth showing into the documentation, between its markers. */

import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { root } from '../../support/root.js';
import type { Cores } from './cores.js';

/** Stands in each file of results that `make bench` publishes. */
export interface Run {
  readonly machine: string;
  readonly cores: Cores;
  /** ISO 8601. */
  readonly date: string;
  /** With other settings than usual, which is mostly less of everything. */
  readonly isTrial: boolean;
}

/** Of the files of results. */
const FORMAT = 2;

const RESULTS = join(root, 'var', 'bench');
const DOCUMENT = join(root, 'docs', 'benchmarks.md');

/** @returns the file */
export function save(name: string, results: object): string {
  mkdirSync(RESULTS, { recursive: true });
  const path = join(RESULTS, `${name}.json`);
  writeFileSync(path, `${JSON.stringify({ format: FORMAT, ...results }, null, 1)}\n`);
  return path;
}

/** What was saved last under this name; undefined where nothing was, or by an earlier benchmark. */
export function saved<T extends object>(name: string): T | undefined {
  const path = join(RESULTS, `${name}.json`);
  if (!existsSync(path)) return undefined;
  const { format, ...results } = JSON.parse(readFileSync(path, 'utf8')) as T & { format?: number };
  return format === FORMAT ? (results as unknown as T) : undefined;
}

/** A file of docs/bench. Returns its path. */
export function publishFile(name: string, text: string): string {
  const path = join(root, 'docs', 'bench', name);
  writeFileSync(path, text);
  return path;
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
