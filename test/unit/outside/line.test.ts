/** Lines from outside: whom they are for, what they say, and what is no line. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { MegaphoneError } from '../../../src/errors.js';
import { MAX_TARGETS, readLine, readTargets, type Target, textOfTarget } from '../../../src/outside/line.js';
import { LineReader, MAX_LINE_BYTES, type Read } from '../../../src/outside/line-reader.js';

const FALLBACK = readTargets('#ops,%log');
const shown = (line: string, fallback: readonly Target[] = FALLBACK): string => {
  try {
    const { targets, text } = readLine(line, fallback);
    return `${targets.map(({ kind, name }) => `${kind} ${name}`).join(', ')}: ${text}`;
  } catch (error) {
    assert.ok(error instanceof MegaphoneError && error.code === 'OUTSIDE_BAD_LINE' && error.hint);
    return error.message;
  }
};

test('addresses are the first word, where it begins with one', () => {
  for (const [line, expected] of [
    ['#room,@alice Backup done', 'room room, user alice: Backup done'],
    ['@alice@example.org hello  there ', 'user alice@example.org: hello  there'],
    ['%123\ttabbed', 'id 123: tabbed'],
    ['%ü,%ü,%ü once', 'id ü: once'],
    ['#a@b/c@d x', 'room a@b/c@d: x'],
    ['Backup done', 'room ops, id log: Backup done'],
    [' @alice was here', 'room ops, id log: @alice was here'],
    ['#', '"#" is no address'],
    ['# note', '"#" is no address'],
    ['#room', 'it has no text'],
    ['#room  ', 'it has no text'],
    ['   ', 'it has no text'],
    ['#room,alice hello', '"alice" is no address'],
    ['#room, @alice hello', '"" is no address'],
    [`%${'x'.repeat(256)} hello`, `"%${'x'.repeat(256)}" is no address`],
    ['@a\u0007 hello', '"@a\\u0007" is no address'],
    [`${Array.from({ length: MAX_TARGETS + 1 }, (_, n) => `%${n}`)} x`, 'it has 33 addresses'],
  ] as const)
    assert.equal(shown(line), expected);
  assert.equal(shown('Backup done', []), 'it has no address');
});

const name = fc.stringMatching(/^[^\s,\p{C}]{1,60}$/u).filter((text) => Buffer.byteLength(text) <= 255);
const target = fc
  .tuple(fc.constantFrom('user', 'room', 'id'), name)
  .map(([kind, text]): Target => ({ kind, name: text }));
const word = fc.string({ unit: 'grapheme', minLength: 1 }).filter((text) => text.trim() !== '');

test('what is written for some is read for these', () => {
  fc.assert(
    fc.property(
      fc.uniqueArray(target, { minLength: 1, maxLength: MAX_TARGETS, selector: textOfTarget }),
      word,
      (targets, text) => {
        const line = readLine(`${targets.map(textOfTarget).join(',')} ${text}`, []);
        assert.deepEqual(line, { targets, text: text.trim() });
      },
    ),
  );
});

test('whatever comes is a line, or refused by a code of ours', () => {
  fc.assert(fc.property(fc.string({ unit: 'binary' }), (line) => assert.equal(typeof shown(line), 'string')));
});

const all = (reader: LineReader, pieces: readonly Buffer[]): (string | undefined)[] =>
  [...pieces.flatMap((piece) => reader.read(piece)), ...reader.end()].map((read: Read) =>
    typeof read === 'string' ? read : read.code,
  );

test('lines are the same in any pieces, with either end, and without one', () => {
  const line = fc.string({ unit: 'grapheme' }).map((text) => text.replace(/[\r\n]/g, ''));
  fc.assert(
    fc.property(fc.array(line), fc.constantFrom('\n', '\r\n'), fc.array(fc.nat(64)), (lines, end, cuts) => {
      const bytes = Buffer.from(lines.join(end));
      const pieces: Buffer[] = [];
      let at = 0;
      for (const cut of cuts) {
        pieces.push(bytes.subarray(at, at + cut));
        at += cut;
      }
      pieces.push(bytes.subarray(at));
      const expected = lines.filter((text) => text !== '');
      assert.deepEqual(all(new LineReader(), pieces), expected);
    }),
  );
});

test('what is too long, or no UTF-8, is told once, and what follows is read', () => {
  const long = 'x'.repeat(MAX_LINE_BYTES);
  const bytes = Buffer.concat([
    Buffer.from(`${long}\n${long}y\n`),
    Buffer.from([0xff, 0x0a]),
    Buffer.from(`${long.repeat(20)}\nlast`),
  ]);
  const bad = 'OUTSIDE_BAD_LINE';
  const expected = [long, bad, bad, bad, 'last'];
  assert.deepEqual(all(new LineReader(), [bytes]), expected);
  const pieces = Array.from({ length: Math.ceil(bytes.length / 1000) }, (_, at) =>
    bytes.subarray(1000 * at, 1000 * (at + 1)),
  );
  assert.deepEqual(all(new LineReader(), pieces), expected);
});
