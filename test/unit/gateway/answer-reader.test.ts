/** The quick way to read an answer reads what the general way reads, or nothing. */

import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import fc from 'fast-check';
import { decodeVersioned } from '../../../src/etf/decode.js';
import { encodeVersioned } from '../../../src/etf/encode.js';
import { Pid, type Term, tuple } from '../../../src/etf/terms.js';
import { AnswerReader } from '../../../src/gateway/answer-reader.js';
import { type Answer, readAnswer } from '../../../src/gateway/answers.js';
import { arbitraryTerm } from '../etf/arbitrary.js';

const NODE = 'megaphone@localhost';
const CREATION = 7;
const reader = new AnswerReader(NODE, CREATION);

const read = (bytes: Buffer): Answer | undefined => reader.read(bytes, 0, bytes.length);

/** What the general way makes of it. */
function generally(bytes: Buffer): Answer | undefined {
  try {
    return readAnswer(decodeVersioned(bytes));
  } catch {
    return undefined;
  }
}

const uint32 = fc.integer({ min: 0, max: 0xffffffff });
const binary = fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes));
const ourConnId = fc.tuple(uint32, uint32).map(([id, serial]) => new Pid(NODE, id, serial, CREATION));
const connId = fc.oneof(
  { weight: 5, arbitrary: ourConnId },
  fc.constant(new Pid(NODE, 1, 2, CREATION + 1)),
  fc.constant(new Pid('other@localhost', 1, 2, CREATION)),
);
const status = fc.oneof(fc.integer({ min: 200, max: 599 }), fc.integer({ min: -1000, max: 1000 }));
const iodata = fc.oneof({ weight: 3, arbitrary: binary }, fc.constant('text'), arbitraryTerm).map(textToList);
const headers = fc.oneof(
  { weight: 3, arbitrary: fc.array(fc.tuple(binary, binary).map(([name, value]) => tuple(name, value))) },
  fc.array(fc.tuple(iodata, iodata).map(([name, value]) => tuple(name, value))),
  arbitraryTerm,
);
const message: fc.Arbitrary<Term> = fc.oneof(
  fc.tuple(connId, iodata).map((elements) => tuple(...elements)),
  fc.tuple(connId, status, iodata).map((elements) => tuple(...elements)),
  fc.tuple(connId, status, headers, iodata).map((elements) => tuple(...elements)),
  arbitraryTerm,
);

function textToList(item: Term | string): Term {
  return typeof item === 'string' ? [...Buffer.from(item)] : item;
}

describe('AnswerReader', () => {
  test('where it reads an answer, it is the one that the general way reads', () => {
    fc.assert(
      fc.property(message, (term) => {
        const bytes = encodeVersioned(term);
        const quick = read(bytes);
        if (quick !== undefined) assert.deepEqual(quick, generally(bytes));
      }),
      { numRuns: 2_000 },
    );
  });

  test('it reads every answer to one of our ConnIds that is made of binaries', () => {
    const good = fc.integer({ min: 200, max: 599 });
    const pairs = fc.array(
      fc.tuple(binary, binary).map(([name, value]) => tuple(name, value)),
      { maxLength: 100 },
    );
    const answer = fc.oneof(
      fc.tuple(ourConnId, binary),
      fc.tuple(ourConnId, good, binary),
      fc.tuple(ourConnId, good, pairs, binary),
    );
    fc.assert(
      fc.property(answer, (elements) => {
        const bytes = encodeVersioned(tuple(...(elements as readonly Term[])));
        const expected = generally(bytes);
        assert.ok(expected !== undefined);
        assert.deepEqual(read(bytes), expected);
      }),
    );
  });

  test('it reads between its bounds only', () => {
    fc.assert(
      fc.property(ourConnId, binary, binary, binary, (to, body, before, after) => {
        const answer = encodeVersioned(tuple(to, 404, body));
        const bytes = Buffer.concat([before, answer, after]);
        const end = before.length + answer.length;
        assert.deepEqual(reader.read(bytes, before.length, end), generally(answer));
        for (let cut = before.length; cut < end; cut += 1) {
          assert.equal(reader.read(bytes, before.length, cut), undefined);
        }
      }),
      { numRuns: 20 },
    );
  });

  test('with any byte changed it reads what the general way reads, or nothing', () => {
    const pair = tuple(Buffer.from('x'), Buffer.from('y'));
    const bytes = encodeVersioned(tuple(new Pid(NODE, 1, 2, CREATION), 403, [pair], Buffer.from('no')));
    for (let at = 0; at < bytes.length; at += 1) {
      for (let value = 0; value < 256; value += 1) {
        const changed = Buffer.from(bytes);
        changed[at] = value;
        const quick = read(changed);
        if (quick !== undefined) assert.deepEqual(quick, generally(changed));
      }
    }
  });

  test('a body is a view of what was received, not a copy', () => {
    const bytes = encodeVersioned(tuple(new Pid(NODE, 1, 2, CREATION), Buffer.from('hello')));
    const answer = read(bytes);
    bytes[bytes.length - 1] = 0x21;
    assert.equal(String(answer?.body), 'hell!');
  });
});
