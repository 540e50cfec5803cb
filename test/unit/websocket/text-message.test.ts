/** UTF-8 that comes a byte at a time is refused at the very byte that no valid text can have there. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { TextMessage } from '../../../src/websocket/text-message.js';

const MAX = 1000;

/** How many bytes are taken, and whether a text may end there. */
function taken(bytes: Buffer): readonly [count: number, isWhole: boolean] {
  const message = new TextMessage();
  for (let at = 0; at < bytes.length; at += 1) {
    if (!message.add(bytes, at, at + 1, MAX)) return [at, false];
  }
  assert.deepEqual(message.text, bytes);
  return [bytes.length, message.isWhole];
}

/** The same by the decoder of the platform. */
function takenByDecoder(bytes: Buffer): readonly [count: number, isWhole: boolean] {
  const decoder = new TextDecoder('utf-8', { fatal: true });
  for (let at = 0; at < bytes.length; at += 1) {
    try {
      decoder.decode(bytes.subarray(at, at + 1), { stream: true });
    } catch {
      return [at, false];
    }
  }
  try {
    decoder.decode();
    return [bytes.length, true];
  } catch {
    return [bytes.length, false];
  }
}

test('every two bytes, and what may follow', () => {
  for (let first = 0x7f; first <= 0xff; first += 1) {
    for (let second = 0x7e; second <= 0xff; second += 1) {
      for (const rest of [[0x80], [0xbf, 0xc0], [0x80, 0x80, 0x80], [0x41]]) {
        const bytes = Buffer.from([first, second, ...rest]);
        assert.deepEqual(taken(bytes), takenByDecoder(bytes), bytes.toString('hex'));
      }
    }
  }
});

test('texts, and texts with a byte that is wrong, in pieces of any size', () => {
  const text = fc.string({ unit: 'binary', maxLength: 100 }).map((text) => Buffer.from(text));
  const broken = fc.tuple(text, fc.nat(), fc.integer({ min: 0x80, max: 0xff })).map(([bytes, at, byte]) => {
    bytes[at % Math.max(1, bytes.length)] = byte;
    return bytes;
  });
  const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { minLength: 1 });
  fc.assert(
    fc.property(fc.oneof(text, broken), sizes, (bytes, sizes) => {
      const expected = takenByDecoder(bytes);
      assert.deepEqual(taken(bytes), expected);
      const message = new TextMessage();
      let at = 0;
      for (let count = 0; at < bytes.length; count += 1) {
        const end = Math.min(bytes.length, at + (sizes[count % sizes.length] ?? 1));
        if (!message.add(bytes, at, end, MAX)) break;
        at = end;
      }
      assert.ok(at <= expected[0], 'what is wrong was taken');
      if (expected[1]) assert.ok(at === bytes.length && message.isWhole);
    }),
    { numRuns: 500 },
  );
});
