/** docs/errors.md has every warning and error that the source writes into a log, the gateway's and ejabberd's, and no other. */

import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const page = readFileSync(join(root, 'docs/errors.md'), 'utf8');

/** What is told by other names than a literal of its own: the message of an error with a code, or what was handed on. */
const HANDED_ON: ReadonlySet<string> = new Set([
  'warning.message',
  'warning',
  "typeof text === 'string' ? text : text()",
]);

const CALL = /(?:\blog|\blimited|#log|#limited|\bthis)(?:\.#?(?:warn|error|fatal)|\[level\])\(/g;

function linesOfGateway(): string[] {
  return sources('src', '.ts').flatMap((source) =>
    [...source.matchAll(CALL)].flatMap(({ index, 0: call }) => {
      const last = argumentsAt(source, index + call.length).at(-1) ?? '';
      const [text] = /^(?:\(\) => )?([`'].*)/s.exec(last)?.slice(1) ?? [constant(source, last, index)];
      if (text !== undefined) return [text.slice(1, -1).replaceAll(/\$\{(?:[^{}]|\{[^{}]*\})*\}/g, '…')];
      if (HANDED_ON.has(last) || isParameter(source, last, index)) return [];
      throw new Error(`which line is this? ${call}${last}`);
    }),
  );
}

/** Split at the commas that are in no bracket and no text. */
function argumentsAt(source: string, from: number): string[] {
  const found: string[] = [];
  let [start, depth, quote] = [from, 0, ''];
  for (let at = from; at < source.length; at += 1) {
    const char = source[at] ?? '';
    if (quote !== '') {
      if (char === quote) quote = '';
    } else if ("'`".includes(char)) quote = char;
    else if ('([{'.includes(char)) depth += 1;
    else if (depth === 0 && (char === ',' || char === ')')) {
      found.push(source.slice(start, at).trim());
      start = at + 1;
      if (char === ')') break;
    } else if (')]}'.includes(char)) depth -= 1;
  }
  return found.filter((argument) => argument !== '');
}

/** The text of that name, as it was written last in front of there. */
function constant(source: string, name: string, index: number): string | undefined {
  if (!/^\w+$/.test(name)) return undefined;
  const texts = [
    ...source.slice(0, index).matchAll(new RegExp(`const ${name} =\\s*([\`'][^;]*[\`']);`, 'g')),
  ];
  return texts.at(-1)?.[1];
}

/** Of the method that it is in: its callers are looked at. */
const isParameter = (source: string, name: string, index: number): boolean =>
  new RegExp(`#warn\\([^)]*\\b${name}: string\\)[^}]*$`).test(source.slice(0, index));

function linesOfModule(): string[] {
  return sources('erl/mod_megaphone/src', '.erl').flatMap((source) =>
    [...source.matchAll(/\?(?:LOG_)?(?:WARNING|ERROR|CRITICAL)(?:_MSG)?\(\s*"([^"]*)"/g)].map(
      ([, text = '']) => text.replaceAll(/~\d*[a-z]+/g, '…'),
    ),
  );
}

/** Of the table below that heading. */
function documented(heading: string): string[] {
  const [, section = ''] = new RegExp(`^## ${heading}\\n(.*?)^## `, 'ms').exec(page) ?? [];
  return [...section.matchAll(/^\| (?:warn|warning|error) \| `([^`]+)` \|/gm)].map(([, line = '']) => line);
}

const unique = (lines: readonly string[]): string[] => [...new Set(lines)].sort();

test("every warning and error of the gateway's log is on the page, and no other", () => {
  const lines = linesOfGateway();
  assert.ok(lines.length > 12);
  assert.deepEqual(documented("Lines of the gateway's log").sort(), unique(lines));
});

test("every warning and error of the module's is on the page, and no other", () => {
  const lines = linesOfModule();
  assert.ok(lines.length > 3);
  assert.deepEqual(documented("Lines of the module in ejabberd's log").sort(), unique(lines));
});

test('the codes that their rows name are explained below', () => {
  const [tables = '', rest = ''] = page.split('## GATEWAY:');
  const named = [...tables.matchAll(/`((?:GATEWAY|HTTP|NODE|EPMD|LINK|LOG)_[A-Z_]+)`/g)].map(
    ([, code = '']) => code,
  );
  assert.ok(named.length > 8);
  assert.deepEqual(
    named.filter((code) => !rest.includes(`\`${code}\``)),
    [],
  );
});

function sources(folder: string, ending: string): string[] {
  return readdirSync(join(root, folder), { recursive: true })
    .map(String)
    .filter((name) => name.endsWith(ending))
    .map((name) => readFileSync(join(root, folder, name), 'utf8'));
}
