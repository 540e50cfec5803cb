/** GRIP's JSON: what its libraries send becomes publications; what is wrong, or would do something else, is refused by name. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { Publication } from '../../../src/comet/ports.js';
import { MegaphoneError } from '../../../src/errors.js';
import { MAX_ITEMS, readPublications } from '../../../src/outside/grip.js';

const read = (value: unknown): Publication[] => readPublications(Buffer.from(JSON.stringify(value)));
const item = (rest: object): object => ({ items: [{ channel: '123', ...rest }] });

function refusal(body: unknown): readonly [code: string, message: string] {
  try {
    const bytes = body instanceof Buffer ? body : Buffer.from(JSON.stringify(body));
    readPublications(bytes);
  } catch (error) {
    assert.ok(error instanceof MegaphoneError, String(error));
    assert.ok(error.hint);
    return [error.code, error.message];
  }
  return ['', 'it was taken'];
}

test('one format is the text itself; several, and events of server-sent events, stand beside it', () => {
  const stream = { 'http-stream': { content: 'Hello\n' } };
  assert.deepEqual(read(item({ formats: stream })), [
    { ids: ['123'], body: Buffer.from('Hello\n'), meta: {} },
  ]);
  const lines = 'Hello\u2028data: x\u2029data: y';
  assert.deepEqual(read(item({ formats: { 'http-stream': { content: lines } } }))[0]?.meta, {});
  // Without `formats`, as older libraries send it; and the ids of the sender.
  assert.deepEqual(read(item({ id: '2', 'prev-id': '1', ...stream })), [
    { ids: ['123'], body: Buffer.from('Hello\n'), meta: { id: '2', prev_id: '1' } },
  ]);
  const event = 'event: message\ndata: {"a":1}\n\n';
  const [publication] = read(item({ formats: { 'http-stream': { content: event } } }));
  assert.deepEqual(publication?.meta.formats, { 'http-stream': event });
  const all = {
    'http-response': { code: 200, reason: 'OK', headers: { a: 'b' }, body: 'polled' },
    'http-stream': { content: event, action: 'send' },
    'ws-message': { content: 'framed', type: 'text' },
  };
  assert.deepEqual(read(item({ formats: all })), [
    {
      ids: ['123'],
      body: Buffer.from('framed'),
      meta: { formats: { 'ws-message': 'framed', 'http-response': 'polled', 'http-stream': event } },
    },
  ]);
});

test('any text arrives as it is, as text or in base64', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), fc.boolean(), (text, isEncoded) => {
      const content = isEncoded ? { 'content-bin': Buffer.from(text).toString('base64') } : { content: text };
      const [publication] = read(item({ formats: { 'ws-message': content } }));
      assert.equal(publication?.body.toString(), text);
    }),
  );
});

test('what is wrong is named with its place, and nothing of the request is taken', () => {
  const good = { channel: 'a', formats: { 'http-stream': { content: 'x' } } };
  for (const [body, message] of [
    [Buffer.from('{'), /^the body is no JSON in UTF-8: /],
    [Buffer.from([0x22, 0xff, 0x22]), /^the body is no JSON in UTF-8: /],
    [[], /^the body is no object$/],
    [{}, /^items is no list$/],
    [{ items: [good, 7] }, /^items\[1\] is no object$/],
    [{ items: [good, { formats: {} }] }, /^items\[1\] has no channel$/],
    [{ items: [{ ...good, channel: 7 }] }, /^items\[0\]\.channel is no string$/],
    [{ items: [{ ...good, channel: '' }] }, /channel has 0 bytes/],
    [{ items: [{ ...good, channel: 'ü'.repeat(128) }] }, /channel has 256 bytes, an id has 1 to 255$/],
    [item({}), /^items\[0\] has none of ws-message, http-response, http-stream$/],
    [item({ formats: [] }), /^items\[0\]\.formats is no object$/],
    [item({ formats: { 'http-stream': 'x' } }), /^items\[0\]\.http-stream is no object$/],
    [item({ formats: { 'http-stream': {} } }), /has neither content nor content-bin$/],
    [item({ formats: { 'http-response': { content: 'x' } } }), /has neither body nor body-bin$/],
    [item({ formats: { 'ws-message': { 'content-bin': '$' } } }), /content-bin is no base64$/],
  ] as const) {
    const [code, told] = refusal(body);
    assert.equal(code, 'OUTSIDE_BAD_PUBLICATION', told);
    assert.match(told, message);
  }
});

test('what would do something else than send a text is refused', () => {
  for (const formats of [
    { 'http-stream': { action: 'close', content: '' } },
    { 'http-stream': { action: 'hint' } },
    { 'ws-message': { action: 'close', code: 1000 } },
    { 'ws-message': { type: 'ping', content: '' } },
    { 'http-response': { 'body-patch': [] } },
    { 'ws-message': { 'content-bin': Buffer.from([0xff]).toString('base64') } },
  ])
    assert.equal(refusal(item({ formats }))[0], 'OUTSIDE_NOT_SUPPORTED', JSON.stringify(formats));
  const items = Array.from({ length: MAX_ITEMS + 1 }, () => ({
    channel: 'a',
    'http-stream': { content: 'x' },
  }));
  assert.equal(refusal({ items })[0], 'OUTSIDE_TOO_MANY');
  assert.equal(read({ items: items.slice(1) }).length, MAX_ITEMS);
});

test('whatever comes is read, or refused by a code of ours', () => {
  fc.assert(
    fc.property(fc.oneof(fc.json(), fc.json({ depthSize: 'large' })), (json) => {
      for (const body of [json, `{"items":[${json}]}`, `{"items":[{"channel":"a","formats":${json}}]}`])
        assert.match(refusal(Buffer.from(body))[0], /^(?:OUTSIDE_BAD_PUBLICATION|OUTSIDE_NOT_SUPPORTED)?$/);
    }),
  );
});
