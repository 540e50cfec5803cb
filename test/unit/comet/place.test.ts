import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { joinMarks, type Mark, readPlace, writeMark } from '../../../src/comet/place.js';

const tag = fc.stringMatching(/^[A-Za-z0-9_-]{6}$/);
const number = fc.maxSafeNat().filter((each) => each > 0);
const mark = fc.record({ tag, number }, { noNullPrototype: true });
const marksOf = fc.uniqueArray(mark, { maxLength: 5, selector: (each) => each.tag });

const write = (place: readonly (readonly Mark[])[]): string =>
  place.map((marks) => joinMarks(marks.map(({ tag, number }) => writeMark(tag, number)))).join(';');

test('the place that was written is read', () => {
  fc.assert(
    fc.property(fc.array(marksOf, { minLength: 1, maxLength: 4 }), (place) => {
      assert.deepEqual(readPlace(write(place), place.length), place);
      assert.equal(readPlace(write(place), place.length + 1), undefined);
    }),
  );
});

test('whatever comes is read, or is none', () => {
  const text = fc.string({ unit: fc.constantFrom('a', 'b', '1', '.', ',', ';', '-', ' ', 'ü') });
  fc.assert(
    fc.property(text, fc.integer({ min: 1, max: 3 }), (place, ids) => {
      const read = readPlace(place, ids);
      if (read !== undefined) assert.equal(read.length, ids);
    }),
  );
});

test('an example, as the documents have it', () => {
  assert.deepEqual(readPlace('k3F9aQ.hbx0r1c2,x81b_Z.hbx0r3d9;k3F9aQ.hbx0r1c2', 2), [
    [
      { tag: 'k3F9aQ', number: Number.parseInt('hbx0r1c2', 36) },
      { tag: 'x81b_Z', number: Number.parseInt('hbx0r3d9', 36) },
    ],
    [{ tag: 'k3F9aQ', number: Number.parseInt('hbx0r1c2', 36) }],
  ]);
  assert.deepEqual(readPlace('-', 1), [[]]);
});

for (const bad of [
  '',
  'k3F9aQ',
  'k3F9aQ.',
  'k3F9aQ.-1',
  'k3F9aQ.ABC',
  'k3F9a.1',
  'k3F9aQ.zzzzzzzzzzz',
  'k3F9aQ.1,k3F9aQ.2',
  'k3F9aQ.1,',
  Array.from({ length: 257 }, (_, index) => `tag${100 + index}.1`).join(','),
  '-;'.repeat(9000),
])
  test(`${bad.slice(0, 30)} is no place`, () => assert.equal(readPlace(bad, 1), undefined));
