/** Which terms are answers to an exchange, and the bytes of iodata of any form. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { atom, Float, ImproperList, Pid, type Term, tuple } from '../../../src/etf/terms.js';
import { readAnswer } from '../../../src/gateway/answers.js';
import { iodataToBuffer } from '../../../src/gateway/iodata.js';

const connId = new Pid('megaphone@localhost', 1, 2, 3);
const body = Buffer.from('hello');
const headers = [
  tuple(Buffer.from('X-A'), Buffer.from('b')),
  tuple([...Buffer.from('x-c')], [Buffer.from('d')]),
];

for (const [form, term, expected] of [
  ['{ConnId, Body}', tuple(connId, body), { connId, status: 200, headers: [], body }],
  ['{ConnId, Status, Body}', tuple(connId, 404, body), { connId, status: 404, headers: [], body }],
  [
    '{ConnId, Status, Headers, Body}',
    tuple(connId, 403, headers, body),
    {
      connId,
      status: 403,
      headers: [
        ['X-A', 'b'],
        ['x-c', 'd'],
      ],
      body,
    },
  ],
  ['Body', body, { connId: undefined, status: 200, headers: [], body }],
  ['Body as a string of a shell', [...body], { connId: undefined, status: 200, headers: [], body }],
  ['an empty Body', [], { connId: undefined, status: 200, headers: [], body: Buffer.alloc(0) }],
  ['{Status, Body}', tuple(500, body), { connId: undefined, status: 500, headers: [], body }],
] as const) {
  test(`${form} is an answer`, () => assert.deepEqual(readAnswer(term), expected));
}

for (const [what, term] of [
  ['an atom', atom('hello')],
  ['a number', 200],
  ['a map', new Map()],
  ['an empty tuple', tuple()],
  ['a ConnId alone', tuple(connId)],
  ['a status alone', tuple(200)],
  ['a body that is no iodata', tuple(connId, atom('hello'))],
  ['a body of characters beyond bytes', [0x2603]],
  ['a status out of range', tuple(connId, 199, body)],
  ['a status out of range, by hand', tuple(600, body)],
  ['a status that is a float', tuple(new Float(200), body)],
  ['a bigint status', tuple(connId, 2n ** 70n, body)],
  ['headers that are no list', tuple(connId, 200, body, body)],
  ['headers that are no pairs', tuple(connId, 200, [tuple(body)], body)],
  ['a header value that is no iodata', tuple(connId, 200, [tuple(body, atom('x'))], body)],
  ['something before the ConnId', tuple(200, connId, body)],
  ['five elements', tuple(connId, 200, [], body, body)],
  ['a message of another kind', tuple(atom('DOWN'), connId, body)],
] as const) {
  test(`${what} is no answer`, () => assert.equal(readAnswer(term), undefined));
}

test('iodata of any form gives the bytes that it holds, in order', () => {
  interface Node {
    readonly term: Term;
    readonly bytes: readonly number[];
  }
  const leaf = fc.oneof(
    fc.nat(255).map((byte): Node => ({ term: byte, bytes: [byte] })),
    fc.uint8Array({ maxLength: 5 }).map((bytes): Node => ({ term: Buffer.from(bytes), bytes: [...bytes] })),
  );
  const { list } = fc.letrec<{ list: Node; item: Node }>((tie) => ({
    item: fc.oneof({ maxDepth: 4 }, leaf, tie('list')),
    list: fc
      .tuple(fc.array(tie('item'), { maxLength: 4 }), fc.option(fc.uint8Array({ maxLength: 3 })))
      .map(([items, tail]): Node => {
        const terms = items.map(({ term }) => term);
        const bytes = items.flatMap((item) => item.bytes);
        if (tail === null || terms.length === 0) return { term: terms, bytes };
        return { term: new ImproperList(terms, Buffer.from(tail)), bytes: [...bytes, ...tail] };
      }),
  }));
  fc.assert(
    fc.property(list, ({ term, bytes }) => {
      assert.deepEqual(iodataToBuffer(term), Buffer.from(bytes));
    }),
  );
});

for (const [what, term] of [
  ['a byte alone', 65],
  ['a negative byte', [-1]],
  ['a float', [new Float(1)]],
  ['an atom deep inside', [[body, [atom('x')]]]],
  ['a byte as the tail', new ImproperList([65], 66)],
  ['a tuple', [tuple(body)]],
] as const) {
  test(`${what} is no iodata`, () => assert.equal(iodataToBuffer(term), undefined));
}

test('a list nested as deep as memory allows is read without a stack', () => {
  let term: Term = [65];
  for (let i = 0; i < 200_000; i += 1) term = [term];
  assert.deepEqual(iodataToBuffer(term), Buffer.from('A'));
});
