/** What a dying, chatty or endless process wrote comes through line by line, and never waits for the reader. */

import assert from 'node:assert/strict';
import { PassThrough, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { test } from 'node:test';
import { LogOutput } from '../../../src/observe/log-output.js';
import { passOn } from '../../../src/workers/pass-on.js';

async function written(to: Writable, ...parts: readonly string[]): Promise<void> {
  const from = new PassThrough();
  passOn(from, to);
  for (const part of parts) from.write(part);
  from.end();
  await finished(from);
}

function taker() {
  const lines: string[] = [];
  const to = new Writable({
    decodeStrings: false,
    write: (line: string, _, done) => {
      lines.push(line);
      done();
    },
  });
  return { lines, to };
}

test('each line is a write of its own, however it came', async () => {
  const { lines, to } = taker();
  await written(to, 'one\ntw', 'o', '\nthree\n');
  assert.deepEqual(lines, ['one\n', 'two\n', 'three\n']);
});

test('the last words of one that died in the middle of a line are passed on, as a line', async () => {
  const { lines, to } = taker();
  await written(to, 'one\nout of mem');
  assert.deepEqual(lines, ['one\n', 'out of mem\n']);
});

test('a line without an end is passed on in parts', async () => {
  const { lines, to } = taker();
  await written(to, ...Array.from({ length: 100 }, () => 'x'.repeat(10_000)));
  assert.equal(lines.join('').replaceAll('\n', '').length, 1_000_000);
  for (const line of lines) assert.ok(line.length < 100_000, `${line.length}`);
});

test('what comes behind a long line is passed on, too', async () => {
  const { lines, to } = taker();
  await written(to, `${'x'.repeat(60_000)}\n${'y'.repeat(60_000)}\nnext\n`);
  assert.deepEqual(
    lines.map((line) => line.length),
    [60_001, 60_001, 5],
  );
});

test('each line that cannot be written is counted', async () => {
  const gone = () => {
    throw Object.assign(new Error(), { code: 'EPIPE' });
  };
  const output = new LogOutput({ write: gone });
  await written(output, 'one\ntwo\nthree\nfour');
  assert.equal(output.lost, 4);
});

test('a reader who does not read makes nothing grow', async () => {
  const to = new Writable({ decodeStrings: false, write: () => {} });
  await written(to, ...Array.from({ length: 1000 }, () => `${'x'.repeat(999)}\n`));
  assert.ok(to.writableLength < 100_000, `${to.writableLength}`);
});
