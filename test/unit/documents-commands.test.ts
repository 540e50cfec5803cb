/**
 * What the documents print to be typed is run by a test: each block is a session (test/ejabberd/documents.test.ts), or names who runs it,
 * or is nothing to run; configurations fit what reads them; each command that a sentence names exists.
 */

import assert from 'node:assert/strict';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { parse } from 'yaml';
import { parseArguments } from '../../src/cli/arguments.js';
import { configSchema } from '../../src/config/schema.js';

const root = fileURLToPath(new URL('../../../', import.meta.url));
const read = (file: string): string => readFileSync(join(root, file), 'utf8');
const DOCUMENTS = ['.', 'docs', 'examples'].flatMap((folder) =>
  readdirSync(join(root, folder))
    .filter((name) => name.endsWith('.md') && name !== 'CHANGELOG.md')
    .map((name) => join(folder, name)),
);

/** Held to the source, or to what reads them, by a test that looks for the mark. */
const HELD = /^(?:session: .+|configuration: .+|bytes: \w+|log|(?:size|sysctl|unit): \d+)$/;
/** Nothing to type. */
const SHOWN = /^(?:drawing|output)$/;
const RUN_BY = /^run by: (\S+)$/;

interface Block {
  readonly document: string;
  readonly mark: string;
  readonly text: string;
}

/** Each fenced block with the comment in front of it. */
const blocks: readonly Block[] = DOCUMENTS.flatMap((document) => {
  const lines = read(document).split('\n');
  const fences = lines.flatMap((line, at) => (/^ *```/.test(line) ? [at] : []));
  assert.equal(fences.length % 2, 0, document);
  return fences.flatMap((at, index) => {
    if (index % 2 === 1) return [];
    const [, mark = ''] = /^ *<!-- (.+) -->$/.exec(lines[at - 1] ?? '') ?? [];
    return [{ document, mark, text: lines.slice(at + 1, fences[index + 1]).join('\n') }];
  });
});

test('every block is a session, is held to something by a test, or names what runs it', () => {
  const unknown = blocks.filter(({ mark }) => ![HELD, SHOWN, RUN_BY].some((kind) => kind.test(mark)));
  assert.ok(blocks.length > 60);
  assert.deepEqual(unknown, []);
});

test('who is said to run a block reads it from its document, or has its words', () => {
  const runs = blocks.flatMap((block) => {
    const [, file] = RUN_BY.exec(block.mark) ?? [];
    return file === undefined ? [] : [{ ...block, file }];
  });
  assert.ok(runs.length > 5);
  for (const { document, text, file } of runs) {
    assert.ok(existsSync(join(root, file)), `${document}: ${file}`);
    const runner = read(file);
    if (runner.includes(document)) continue;
    // Values may be others: that of CHAOS_SEED=7, addresses, and where a file is.
    const words = text
      .split(/[\s"]+/)
      .map((word) => word.replace(/=.*/s, ''))
      .filter((word) => /^[-[]?[A-Za-z_{]{4}/.test(word) && !/\d$/.test(word));
    assert.ok(words.length > 1, text);
    assert.deepEqual(
      words.filter((word) => !runner.includes(word)),
      [],
      `${document}: ${file}`,
    );
  }
});

test("configurations of the gateway's and the module's have keys that exist, and values that they take", () => {
  const marked = (mark: string): unknown[] =>
    blocks.filter((block) => block.mark === mark).map(({ text }) => parse(text));
  const gateways = marked('configuration: gateway');
  const modules = marked('configuration: module') as {
    readonly modules: { readonly mod_megaphone: object };
  }[];
  assert.ok(gateways.length > 0 && modules.length > 0);
  for (const config of gateways) assert.equal(configSchema.safeParse(config).error, undefined);
  const source = read('erl/mod_megaphone/src/mod_megaphone.erl');
  for (const option of modules.flatMap(({ modules: { mod_megaphone } }) => Object.keys(mod_megaphone)))
    assert.match(source, new RegExp(`^mod_opt_type\\(${option}\\)`, 'm'));
});

test('every command of megaphone that a sentence names exists, with what it is given', () => {
  const named = DOCUMENTS.flatMap((document) =>
    [...read(document).matchAll(/`megaphone ([a-z-][^`]*)`/g)].map(([, words = '']) => words),
  );
  assert.ok(named.length > 10);
  for (const words of named.filter((each) => each !== 'ping'))
    parseArguments(words.split(' ').map((word) => (word === 'URL' ? 'http://localhost:8080' : word)));
});

test("every command of ejabberdctl's with our name that is named exists", () => {
  const source = read('erl/mod_megaphone/src/megaphone_commands.erl');
  const named = DOCUMENTS.flatMap((document) => [...read(document).matchAll(/ctl (megaphone_\w+)/g)]);
  assert.ok(named.length > 5);
  for (const [, name = ''] of named) assert.match(source, new RegExp(`name = ${name}\\b`));
});
