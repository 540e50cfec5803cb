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

const MOST_BYTES = 110_000;

test(`the page is at most ${MOST_BYTES} bytes with its plots, uncompressed`, (t) => {
  const bytes = loaded.reduce((sum, name) => sum + readFileSync(new URL(name, folder)).length, 0);
  t.diagnostic(`${bytes} bytes in ${loaded.length} files`);
  assert.ok(bytes > 50_000 && bytes <= MOST_BYTES, `${bytes} bytes`);
});

test('each file that is named is there, and each that is there is named; uPlot comes with its licence', () => {
  const named = ours.flatMap((name) =>
    [...read(name).matchAll(/(?:src|href)="([\w.]+\.\w+)"|from '\.\/([\w.-]+)'/g)].map(
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

test('text and states are told from what is behind them, and so are lines of plots (WCAG 1.4.3, 1.4.11)', () => {
  const [light = '', dark = ''] = read('dashboard.css').split('@media (prefers-color-scheme: dark)');
  for (const [scheme, css] of Object.entries({ light, dark })) {
    const colours = new Map(
      [...css.matchAll(/--([\w-]+): (#\w{3,6});/g)].map(([, name, value]) => [name, value]),
    );
    const contrast = (one: string, other: string): number => {
      const [a = 0, b = 0] = [one, other]
        .map((name) => luminance(colours.get(name) ?? assert.fail(name)))
        .sort();
      return (b + 0.05) / (a + 0.05);
    };
    const pairs: readonly (readonly [string, readonly string[], number])[] = [
      ['text', ['page', 'card', 'bad-page', 'warn-page'], 7],
      ['quiet', ['page', 'card'], 4.5],
      ['accent', ['page', 'card', 'on-accent'], 4.5],
      ['good', ['page', 'card'], 4.5],
      ['warn', ['page', 'card', 'warn-page'], 4.5],
      ['bad', ['page', 'card', 'bad-page'], 4.5],
      ['s0', ['card'], 3],
      ['s1', ['card'], 3],
      ['s2', ['card'], 3],
    ];
    for (const [name, behind, least] of pairs) {
      for (const other of behind) {
        const found = contrast(name, other);
        assert.ok(found >= least, `${scheme}: ${name} on ${other} ${found.toFixed(2)}`);
      }
    }
  }
});

/** WCAG's relative luminance. */
function luminance(colour: string): number {
  const hex = colour.length === 4 ? colour.replace(/\w/g, '$&$&') : colour;
  const [r = 0, g = 0, b = 0] = [1, 3, 5].map((at) => {
    const part = Number.parseInt(hex.slice(at, at + 2), 16) / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
