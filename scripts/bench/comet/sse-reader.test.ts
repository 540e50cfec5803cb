import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { type Event, SseReader } from './sse-reader.js';

const HEAD = 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n';
const CHUNKED = 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n';
const BODY = ': hi\n\nid: a.1\n\nid: a.2\nevent: gap\ndata: 7\n\ndata:one\ndata: two\n\n';
const EVENTS: readonly Event[] = [
  { id: 'a.1', name: undefined, data: undefined },
  { id: 'a.2', name: 'gap', data: '7' },
  { id: undefined, name: undefined, data: 'one\ntwo' },
];

/** @param cuts where the text is cut into pieces */
function read(text: string, cuts: readonly number[] = []): Event[] {
  const events: Event[] = [];
  const reader = new SseReader();
  const places = [...cuts.map((cut) => cut % text.length), text.length].toSorted((a, b) => a - b);
  let from = 0;
  for (const to of places) {
    reader.push(text.slice(from, to), (event) => events.push(event));
    from = to;
  }
  return events;
}

const inChunks = (text: string, size: number): string => {
  const chunks = text.match(new RegExp(`[^]{1,${size}}`, 'g')) ?? [];
  return chunks.map((chunk) => `${chunk.length.toString(16)}\r\n${chunk}\r\n`).join('');
};

test('events are the same in whatever pieces and chunks they come', () => {
  fc.assert(
    fc.property(fc.array(fc.nat()), fc.integer({ min: 1, max: BODY.length }), (cuts, size) => {
      assert.deepEqual(read(HEAD + BODY, cuts), EVENTS);
      assert.deepEqual(read(CHUNKED + inChunks(BODY, size), cuts), EVENTS);
    }),
  );
});

test('what comes behind the last chunk is nothing', () => {
  assert.deepEqual(read(`${CHUNKED}${inChunks(BODY, 9)}0\r\n\r\n`), EVENTS);
});

test('a refusal, or no chunk where one should be, is an error', () => {
  assert.throws(() => read('HTTP/1.1 403 Forbidden\r\n\r\n'), /403 Forbidden/);
  assert.throws(() => read(`${CHUNKED}${'data: '.repeat(20)}`), /no chunk/);
});
