/** Which messages are a call of gen_server, and what is in one. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { atom, ImproperList, Pid, Reference, type Term, tuple } from '../../../src/etf/terms.js';
import { aliasOf, incomingCall } from '../../../src/node/incoming-call.js';

const from = new Pid('e@h', 1, 2, 3);
const ref = new Reference('e@h', 3, [1, 2, 3]);
const aliased = new ImproperList([atom('alias')], ref);
const kind = atom('$gen_call');

describe('incomingCall', () => {
  test('takes a call apart and leaves the tag as it came', () => {
    for (const tag of [ref, aliased, atom('anything')]) {
      assert.deepEqual(incomingCall(tuple(kind, tuple(from, tag), atom('stats'))), {
        from,
        tag,
        request: atom('stats'),
      });
    }
  });

  const others: readonly Term[] = [
    atom('hello'),
    tuple(kind),
    tuple(atom('$gen_cast'), tuple(from, ref), 1),
    tuple(kind, from, 1),
    tuple(kind, tuple(ref, from), 1),
    tuple(kind, tuple(from, ref, ref), 1),
    tuple('$gen_call' as unknown as Term, tuple(from, ref), 1),
  ];
  for (const [index, other] of others.entries()) {
    test(`another message ${index} is no call`, () => assert.equal(incomingCall(other), undefined));
  }

  test('only the improper list has an alias', () => {
    assert.equal(aliasOf(aliased), ref);
    assert.equal(aliasOf(ref), undefined);
    assert.equal(aliasOf([atom('alias'), ref]), undefined);
  });
});
