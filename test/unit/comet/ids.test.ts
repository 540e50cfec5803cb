import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { hashOfId, idOfTerm, isId, termOfId } from '../../../src/comet/ids.js';
import { formatTerm } from '../../../src/etf/format.js';
import { atom, type Term, tuple } from '../../../src/etf/terms.js';

const WIRE: readonly (readonly [id: string, term: string])[] = [
  ['0', '0'],
  ['123', '123'],
  ['-5', '-5'],
  ['999999999999999999', '999999999999999999'],
  ['-99999999999999999', '-99999999999999999'],
  // As megaphone_comet_id has it: longer ones, and those that no integer is written as, are texts.
  ['1000000000000000000', '<<"1000000000000000000">>'],
  ['-999999999999999999', '<<"-999999999999999999">>'],
  ['007', '<<"007">>'],
  ['-0', '<<"-0">>'],
  ['+1', '<<"+1">>'],
  ['1e3', '<<"1e3">>'],
  ['1.5', '<<"1.5">>'],
  ['alice', '<<"alice">>'],
  [' 1', '<<" 1">>'],
];

for (const [id, term] of WIRE)
  test(`${JSON.stringify(id)} is ${term} on the wire`, () => assert.equal(formatTerm(termOfId(id)), term));

test('what is one id has one text, whatever its type was', () => {
  const same: readonly Term[] = [123, Buffer.from('123'), atom('123')];
  assert.deepEqual(same.map(idOfTerm), ['123', '123', '123']);
  assert.equal(idOfTerm(999999999999999999n), '999999999999999999');
});

test('what is no id has none', () => {
  const none: readonly Term[] = [
    Buffer.alloc(0),
    Buffer.alloc(256, 'x'),
    Buffer.from([0xff]),
    atom(''),
    atom('ü'.repeat(128)),
    tuple(),
    [1],
  ];
  for (const term of none) assert.equal(idOfTerm(term), undefined);
  assert.ok(!isId(''));
  assert.ok(!isId('ü'.repeat(128)));
  assert.ok(isId('ü'.repeat(127)));
});

test('the text that went comes back', () => {
  fc.assert(
    fc.property(fc.oneof(fc.string({ unit: 'grapheme' }), fc.integer().map(String)), (id) => {
      fc.pre(isId(id));
      assert.equal(idOfTerm(termOfId(id)), id);
    }),
  );
});

test('ids are spread over all routers', () => {
  const counts = [0, 0, 0];
  for (let id = 0; id < 3000; id += 1)
    counts[hashOfId(String(id)) % 3] = (counts[hashOfId(String(id)) % 3] ?? 0) + 1;
  for (const count of counts) assert.ok(count > 800, String(counts));
});
