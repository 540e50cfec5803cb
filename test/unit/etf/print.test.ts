/** Terms as the log and the terminal show them: their shape without content, and shortened. */
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import { formatTerm } from '../../../src/etf/format.js';
import { shapeOf } from '../../../src/etf/shape.js';
import {
  atom,
  BitString,
  binary,
  Float,
  ImproperList,
  Opaque,
  Pid,
  Port,
  Reference,
  type Term,
  tuple,
} from '../../../src/etf/terms.js';
import { arbitraryTerm } from './arbitrary.js';

const PID = new Pid('a@b', 1, 2, 3);

describe('shapeOf', () => {
  it('tells kinds and sizes, and no content', () => {
    const term = tuple(
      PID,
      200,
      [1, 2],
      tuple(atom('secret'), binary('secret')),
      new Map([[1, 2]]),
      new Float(1),
    );
    assert.equal(shapeOf(term), '{pid, integer, list(2), {atom, binary(6)}, map(1), float}');
    const rest = tuple(
      new Reference('a@b', 1, [1]),
      new Port('a@b', 1, 1),
      new BitString(Buffer.of(1), 2),
      new ImproperList([1], 2),
      new Opaque(Buffer.of(113)),
      new Opaque(Buffer.of(67)),
      1n,
    );
    assert.equal(shapeOf(rest), '{reference, port, bitstring(1), improper_list(1), fun, record, integer}');
  });

  it('stays short', () => {
    let term: Term = tuple(...Array<Term>(1000).fill(1));
    assert.equal(
      shapeOf(term),
      '{integer, integer, integer, integer, integer, integer, integer, integer, 992 more}',
    );
    for (let depth = 0; depth < 1000; depth++) term = tuple(term);
    assert.equal(shapeOf(term), '{{{tuple(1)}}}');
  });
});

describe('formatTerm', () => {
  const printed: readonly (readonly [Term, string])[] = [
    [tuple(atom('badmatch'), tuple(atom('error'), atom('enoent'))), '{badmatch,{error,enoent}}'],
    [[1, -2, new Float(1), new Float(0.5), 2n ** 64n], '[1,-2,1.0,0.5,18446744073709551616]'],
    [atom("it's\nquoted"), "'it\\'s\\x{a}quoted'"],
    [atom(''), "''"],
    [binary('say "hi"'), '<<"say \\"hi\\"">>'],
    [Buffer.of(0, 255), '<<0,255>>'],
    [[104, 105], '"hi"'],
    [[], '[]'],
    [new ImproperList([atom('alias')], binary('x')), '[alias|<<"x">>]'],
    [
      new Map<Term, Term>([
        [atom('a'), 1],
        [binary('b'), []],
      ]),
      '#{a=>1,<<"b">>=>[]}',
    ],
    [[PID, new Port('a@b', 4, 5), new Reference('a@b', 1, [1, 2])], '[<a@b.1.2>,#Port<a@b.4>,#Ref<a@b.1.2>]'],
    [2n ** 2000n, 'an integer of more than 1024 bits'],
  ];
  for (const [term, text] of printed) {
    it(text, () => assert.equal(formatTerm(term), text));
  }

  it('is as long as it may be and no longer', () => {
    assert.equal(formatTerm(binary('abcdefghij'), 8), '<<"abcde…');
    fc.assert(
      fc.property(arbitraryTerm, fc.integer({ min: 1, max: 100 }), (term, room) => {
        const text = formatTerm(term, room);
        assert.ok(text.length <= room + 1);
        assert.doesNotMatch(text, /\p{Cc}/u);
      }),
      { numRuns: 500 },
    );
  });
});
