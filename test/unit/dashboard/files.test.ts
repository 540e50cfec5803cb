/** The files of the dashboard as they are served: small, complete, of this place alone, and nothing in them that its policy forbids. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { extname } from 'node:path';
import { test } from 'node:test';
import { Counters } from '../../../src/observe/counters.js';
import { REFUSALS } from './page.js';

const folder = new URL('../../../src/dashboard/', import.meta.url);
const read = (name: string): string => readFileSync(new URL(name, folder), 'utf8');
const names = readdirSync(folder);
/** What a browser loads that opens the page, uncompressed; not the licence, which one may read there. */
const loaded = names.filter((name) => extname(name) !== '.txt');
const ours = loaded.filter((name) => !name.startsWith('uPlot'));

const MOST_BYTES = 100_000;

test(`the page is at most ${MOST_BYTES} bytes with its plots, uncompressed`, (t) => {
  const bytes = loaded.reduce((sum, name) => sum + readFileSync(new URL(name, folder)).length, 0);
  t.diagnostic(`${bytes} bytes in ${loaded.length} files`);
  assert.ok(bytes > 50_000 && bytes <= MOST_BYTES, `${bytes} bytes`);
});

test('each file that is named is there, and each that is there is named; uPlot comes with its licence', () => {
  const named = ours.flatMap((name) =>
    [...read(name).matchAll(/(?:src|href)="([\w.]+\.\w+)"|from '\.\/([\w.]+)'/g)].map(
      ([, file, module]) => file ?? module ?? '',
    ),
  );
  assert.deepEqual([...new Set([...named, 'index.html'])].sort(), [...names].sort());
  assert.match(read('uPlot.LICENSE.txt'), /MIT License.*Leon Sorokin/s);
});

test('nothing comes from elsewhere', () => {
  for (const name of ours) {
    const text = read(name).replace('xmlns="http://www.w3.org/2000/svg"', '');
    assert.doesNotMatch(text, /(?:https?:)?\/\/\w/, name);
  }
});

test('markup is made of no text, and nothing runs or has a style but by a file', () => {
  for (const name of ours) {
    const text = read(name);
    assert.doesNotMatch(
      text,
      /innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|Function\(/,
      name,
    );
    assert.doesNotMatch(text, /<style|\sstyle=|\son\w+="|<script(?![^>]*\ssrc=)|javascript:/, name);
  }
});

test('what is left out on the way there are comments and indentation', () => {
  for (const name of ours) assert.doesNotMatch(read(name), /^(?:\s|\/\*|\*\/|\/\/ )/m, name);
});

test('each cause of a refusal is told in words', () => {
  assert.deepEqual(Object.keys(REFUSALS).sort(), Object.keys(new Counters().refused).sort());
});
