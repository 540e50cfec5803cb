/** What is kept of a client that never comes to an end, by counting. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { CONTINUATION, PING, PONG, TEXT } from '../../../src/websocket/opcodes.js';
import { MAX_FRAGMENTS } from '../../../src/websocket/text-message.js';
import { clientFrame } from '../../support/websocket-frames.js';
import { Heard } from './heard.js';

const MAX_MESSAGE = 100_000;
/** What is kept beside the bytes of a message. */
const BESIDE = 1000;

const repeated = (bytes: Buffer, count: number): Buffer => Buffer.concat(Array<Buffer>(count).fill(bytes));

test('an idle client keeps nothing, whatever it sent before', () => {
  const heard = new Heard(MAX_MESSAGE);
  heard.read(
    Buffer.concat([
      clientFrame({ opcode: TEXT, payload: 'a', fin: false }),
      clientFrame({ opcode: PING }),
      clientFrame({ opcode: CONTINUATION, payload: 'b' }),
      clientFrame({ opcode: TEXT, payload: 'c' }),
    ]),
  );
  assert.deepEqual(heard.lines, ['ping ', 'text ab', 'text c']);
  assert.equal(heard.incomplete, undefined);
});

const TOO_MANY = 'failed 1008 a message in too many fragments';

test('empty fragments take no memory, and are refused when they are too many', () => {
  const heard = new Heard(MAX_MESSAGE);
  heard.read(clientFrame({ opcode: TEXT, fin: false }));
  const kept = heard.incomplete;
  heard.read(repeated(clientFrame({ opcode: CONTINUATION, fin: false }), MAX_FRAGMENTS - 1));
  assert.equal(heard.incomplete, kept);
  assert.ok(heard.mostMemory < BESIDE);
  assert.deepEqual(heard.lines, []);
  heard.read(clientFrame({ opcode: CONTINUATION }));
  assert.deepEqual(heard.lines, [TOO_MANY]);
  assert.equal(heard.incomplete, undefined);
});

test('a message may have one fragment more for each 16 bytes of it, and the next begins from none', () => {
  const heard = new Heard(MAX_MESSAGE);
  const count = Math.floor((MAX_FRAGMENTS * 16) / 15);
  for (let i = 0; i < 3; i += 1) {
    heard.read(clientFrame({ opcode: TEXT, fin: false }));
    heard.read(repeated(clientFrame({ opcode: CONTINUATION, payload: 'x', fin: false }), count - 2));
    heard.read(clientFrame({ opcode: CONTINUATION, payload: 'x' }));
  }
  assert.deepEqual(heard.lines, Array(3).fill(`text ${'x'.repeat(count - 1)}`));
  heard.read(clientFrame({ opcode: TEXT, fin: false }));
  heard.read(repeated(clientFrame({ opcode: CONTINUATION, payload: 'x', fin: false }), count + 1));
  assert.equal(heard.lines[3], TOO_MANY);
});

test('fragments take no more than twice what came, and are refused beyond the limit', () => {
  const size = 16;
  const heard = new Heard(MAX_MESSAGE);
  heard.read(clientFrame({ opcode: TEXT, fin: false }));
  const one = clientFrame({ opcode: CONTINUATION, payload: 'x'.repeat(size), fin: false });
  const steps = new Set<number | undefined>();
  for (let came = size; came <= MAX_MESSAGE; came += size) {
    heard.read(one);
    assert.ok((heard.incomplete?.memory ?? 0) <= Math.min(2 * came, MAX_MESSAGE) + BESIDE);
    steps.add(heard.incomplete?.memory);
  }
  assert.deepEqual(heard.lines, []);
  assert.ok(steps.size < 15, `it was copied ${steps.size} times`);
  heard.read(one);
  assert.deepEqual(heard.lines, [`failed 1009 a message may have ${MAX_MESSAGE} bytes`]);
  assert.equal(heard.incomplete, undefined);
});

test('Pings and Pongs without an end take no memory, also within a message', () => {
  const controls = repeated(
    Buffer.concat([clientFrame({ opcode: PING, payload: 'x'.repeat(125) }), clientFrame({ opcode: PONG })]),
    1000,
  );
  const heard = new Heard(MAX_MESSAGE);
  heard.read(controls);
  assert.equal(heard.mostMemory, 0);
  heard.read(clientFrame({ opcode: TEXT, fin: false }));
  const kept = heard.incomplete;
  for (let i = 0; i < 10; i += 1) heard.read(controls);
  assert.equal(heard.incomplete, kept);
  assert.equal(heard.lines.length, 11 * 2000);
});

test('what is announced and does not come takes no memory', () => {
  const heard = new Heard(MAX_MESSAGE);
  const bytes = clientFrame({ opcode: TEXT, payload: 'x'.repeat(MAX_MESSAGE) });
  heard.read(bytes.subarray(0, 20));
  assert.ok(heard.mostMemory < BESIDE);
  heard.read(bytes.subarray(20, 5000));
  assert.ok(heard.mostMemory < 2 * 5000 + BESIDE);
});

test('of what was read with it, nothing is kept', () => {
  const heard = new Heard(MAX_MESSAGE);
  const begun = clientFrame({ opcode: TEXT, payload: 'abc' });
  for (const end of [1, 6, 8]) {
    const before = clientFrame({ opcode: TEXT, payload: 'x'.repeat(60_000) });
    heard.read(Buffer.concat([before, begun.subarray(0, end)]));
    assert.ok((heard.incomplete?.memory ?? 0) > 0 && heard.mostMemory < BESIDE);
    heard.read(begun.subarray(end));
  }
  assert.equal(heard.lines.filter((line) => line === 'text abc').length, 3);
});

test('a message that is announced as too large is refused at once, in whichever way', () => {
  const limit = `failed 1009 a message may have ${MAX_MESSAGE} bytes`;
  for (const announced of [BigInt(MAX_MESSAGE + 1), 2n ** 32n, 2n ** 53n + 1n, 2n ** 63n - 1n]) {
    const heard = new Heard(MAX_MESSAGE);
    // Not even the mask has come.
    heard.read(clientFrame({ opcode: TEXT, announced }).subarray(0, 10));
    assert.deepEqual(heard.lines, [limit]);
  }
  const heard = new Heard(MAX_MESSAGE);
  heard.read(clientFrame({ opcode: TEXT, payload: 'x'.repeat(MAX_MESSAGE - 10), fin: false }));
  heard.read(clientFrame({ opcode: CONTINUATION, announced: 11n }).subarray(0, 2));
  heard.read(Buffer.alloc(4));
  assert.deepEqual(heard.lines, [limit]);
});

test('a message as large as can be is taken, whole and in fragments', () => {
  const text = 'x'.repeat(MAX_MESSAGE);
  const heard = new Heard(MAX_MESSAGE);
  heard.read(clientFrame({ opcode: TEXT, payload: text }));
  heard.read(clientFrame({ opcode: TEXT, payload: text.slice(1), fin: false }));
  heard.read(clientFrame({ opcode: CONTINUATION, payload: 'x' }));
  assert.deepEqual(heard.lines, [`text ${text}`, `text ${text}`]);
});
