/** What becomes of a line, by a file that has room, has none for now, or fails. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { LogOutput } from '../../../src/observe/log-output.js';

class File {
  text = '';
  /** Bytes that it takes before there is no room. */
  room = Number.POSITIVE_INFINITY;
  error: string | undefined;

  write(bytes: Buffer, start: number): number {
    const length = Math.min(bytes.length - start, this.room);
    if (length === 0) throw Object.assign(new Error(), { code: this.error ?? 'EAGAIN' });
    this.room -= length;
    this.text += bytes.toString('latin1', start, start + length);
    return length;
  }
}

function start() {
  const file = new File();
  const output = new LogOutput(file);
  const told: number[] = [];
  output.on('goesOn', (lost: number) => told.push(lost));
  return { file, output, told };
}

test('lines wait while there is no room, whole and in order, and none is lost', () => {
  const { file, output, told } = start();
  file.room = 5;
  for (const line of ['one\n', 'two\n', 'three\n']) output.write(line);
  assert.equal(file.text, 'one\nt');
  file.room = Number.POSITIVE_INFINITY;
  output.write('four\n');
  assert.equal(file.text, 'one\ntwo\nthree\nfour\n');
  assert.deepEqual([output.lost, told], [0, []]);
});

test('it is tried again without another line', (context) => {
  context.mock.timers.enable({ apis: ['setTimeout'] });
  const { file, output } = start();
  file.room = 0;
  output.write('one\n');
  context.mock.timers.tick(50);
  assert.equal(file.text, '');
  file.room = 10;
  context.mock.timers.tick(50);
  assert.equal(file.text, 'one\n');
});

test('no more than a megabyte waits; what comes then is lost, and told once there is room', () => {
  const { file, output, told } = start();
  file.room = 0;
  const line = `${'x'.repeat(999)}\n`;
  for (let i = 0; i < 2000; i += 1) output.write(line);
  assert.ok(output.lost > 900 && output.lost < 2000, `${output.lost}`);
  assert.deepEqual(told, []);
  file.room = Number.POSITIVE_INFINITY;
  output.flush();
  assert.deepEqual(told, [output.lost]);
  assert.equal(file.text.length, (2000 - output.lost) * 1000);
  output.write(line);
  assert.deepEqual(told, [output.lost]);
});

test('a line that cannot be written is lost at once, and a torn one spoils no other', () => {
  const { file, output, told } = start();
  file.error = 'ENOSPC';
  file.room = 2;
  for (const line of ['one\n', 'two\n', 'three\n']) output.write(line);
  assert.deepEqual([file.text, output.lost, told], ['on', 3, []]);
  file.room = Number.POSITIVE_INFINITY;
  output.write('four\n');
  assert.deepEqual([file.text, output.lost, told], ['on\nfour\n', 3, [3]]);
});

test('whatever room there is, each line is written whole or counted, and all that is lost is told', () => {
  const step = fc.record({
    room: fc.oneof(fc.nat(20), fc.constant(Number.POSITIVE_INFINITY)),
    error: fc.constantFrom('EAGAIN', 'EAGAIN', 'ENOSPC', 'EPIPE'),
    size: fc.oneof(fc.nat(10), fc.constant(300_000)),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const { file, output, told } = start();
      for (const [index, { room, error, size }] of steps.entries()) {
        Object.assign(file, { room, error });
        output.write(`<${index}${'x'.repeat(size)}>\n`);
      }
      file.room = Number.POSITIVE_INFINITY;
      output.write('<end>\n');
      const whole = file.text.match(/^<\d+x*>$/gm) ?? [];
      // One that lacks only its line break is counted as lost, and looks whole once the next line begins with that.
      assert.ok(whole.length + output.lost >= steps.length && output.lost <= steps.length);
      const numbers = whole.map((line) => Number.parseInt(line.slice(1), 10));
      assert.ok(numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? 0)));
      assert.equal(
        told.reduce((sum, count) => sum + count, 0),
        output.lost,
      );
    }),
  );
});
