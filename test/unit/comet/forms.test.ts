import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { gapBytes, messageBytes, placeBytes } from '../../../src/comet/forms.js';
import { contentOf, readContent, textBytes } from '../../../src/comet/message.js';
import type { Form, PublicationMeta } from '../../../src/comet/ports.js';
import { atom, binary, ImproperList, type Term } from '../../../src/etf/terms.js';

const PLACE = 'k3F9aQ.1';
const bytes = (form: Form, body: string, meta?: PublicationMeta): string =>
  messageBytes(form, '123', PLACE, contentOf(Buffer.from(body), meta)).toString();

const EVENTS: readonly (readonly [form: Form, body: string, meta: PublicationMeta, expected: string])[] = [
  ['sse', 'Hello', {}, 'id: k3F9aQ.1\ndata: Hello\n\n'],
  ['sse', '', {}, 'id: k3F9aQ.1\ndata: \n\n'],
  ['sse', 'Grüße', { event: 'größe' }, 'id: k3F9aQ.1\nevent: größe\ndata: Grüße\n\n'],
  ['sse', 'a\nb\r\nc\rd', {}, 'id: k3F9aQ.1\ndata: a\ndata: b\ndata: c\ndata: d\n\n'],
  ['sse', '\n', {}, 'id: k3F9aQ.1\ndata: \ndata: \n\n'],
  [
    'sse',
    'x',
    { formats: { 'http-stream': 'event: e\ndata: y\n\n' } },
    'id: k3F9aQ.1\nevent: e\ndata: y\n\n',
  ],
  // A line ends with CR LF, LF or CR, and with nothing else.
  ['sse', 'x', { formats: { 'http-stream': 'a\u2028data: b' } }, 'id: k3F9aQ.1\ndata: a\u2028data: b\n\n'],
  ['sse', 'x', { formats: { 'http-stream': 'event: e\rdata: y' } }, 'id: k3F9aQ.1\nevent: e\ndata: y\n\n'],
  ['sse', 'x', { formats: { 'http-stream': 'plain' } }, 'id: k3F9aQ.1\ndata: plain\n\n'],
  ['sse', 'x', { formats: { 'ws-message': 'other' } }, 'id: k3F9aQ.1\ndata: x\n\n'],
  ['chunked', 'Hello', {}, '5\r\nHello\r\n'],
  // An empty chunk would be the end.
  ['chunked', '', {}, ''],
  ['raw', 'Hello', {}, 'Hello'],
  ['poll', 'a"b', {}, '{"to":"123","id":"k3F9aQ.1","data":"a\\"b"}'],
  [
    'poll',
    'x',
    { event: 'e', id: '7', prev_id: '6', formats: { 'http-response': 'y' } },
    '{"to":"123","id":"k3F9aQ.1","event":"e","data":"y","own_id":"7","prev_id":"6"}',
  ],
];

for (const [form, body, meta, expected] of EVENTS)
  test(`${form}: ${JSON.stringify(body)} ${JSON.stringify(meta)}`, () =>
    assert.equal(bytes(form, body, meta), expected));

test('gaps and places, where pages of that form can be told', () => {
  const told = (form: Form) => [
    gapBytes(form, '123', PLACE)?.toString(),
    placeBytes(form, PLACE)?.toString(),
  ];
  assert.deepEqual(told('sse'), [
    'id: k3F9aQ.1\nevent: gap\ndata: 123\n\n',
    'event: place\nid: k3F9aQ.1\ndata\n\n',
  ]);
  assert.deepEqual(told('poll'), ['{"gap":"123","id":"k3F9aQ.1"}', '{"id":"k3F9aQ.1"}']);
  assert.deepEqual(told('chunked'), [undefined, undefined]);
  assert.deepEqual(told('raw'), [undefined, undefined]);
});

test('whatever the body, an event stream gives back its lines', () => {
  const text = fc.string({ unit: fc.constantFrom('a', '\n', '\r', ':', ' ', 'ü') });
  fc.assert(
    fc.property(text, (body) => {
      const lines = bytes('sse', body).split('\n').slice(1, -2);
      for (const line of lines) assert.ok(line.startsWith('data: '));
      assert.equal(lines.map((line) => line.slice(6)).join('\n'), body.replaceAll(/\r\n?/g, '\n'));
    }),
  );
});

test("a sender's map is read where a page can use it", () => {
  const map = new Map<Term, Term>([
    [atom('event'), atom('greeting')],
    [binary('id'), 7],
    [binary('prev_id'), [1]],
    [atom('formats'), new Map<Term, Term>([[binary('ws-message'), binary('x')]])],
    [atom('other'), 1],
  ]);
  assert.deepEqual(readContent(Buffer.from('x'), map).meta, {
    event: 'greeting',
    id: '7',
    formats: { 'ws-message': 'x' },
  });
  for (const event of ['a\nb', 'gap', 'place']) {
    const bad = new Map<Term, Term>([[atom('event'), binary(event)]]);
    assert.ok(readContent(Buffer.from('x'), bad).isVoid, event);
  }
});

test('texts are those of unicode:characters_to_binary/1', () => {
  const text = (term: Term) => textBytes(term)?.toString();
  assert.equal(text([72, [Buffer.from('é'), 0x20ac], new ImproperList([33], Buffer.from('!'))]), 'Hé€!!');
  assert.equal(text([]), '');
  for (const bad of [1, atom('a'), [-1], [0xd800], [0x110000], [atom('a')], new ImproperList([1], 2)])
    assert.equal(text(bad), undefined);
});
