/** The hand-written messages to a node, against what the codec writes. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { decodeVersioned } from '../../../src/etf/decode.js';
import { encodeVersioned } from '../../../src/etf/encode.js';
import { atom, Pid, tuple } from '../../../src/etf/terms.js';
import { encodeMeta } from '../../../src/gateway/meta.js';
import { RequestEncoder } from '../../../src/gateway/requests.js';

const NODE = 'megaphone@localhost';
const uint32 = fc.integer({ min: 0, max: 2 ** 32 - 1 });

test('hand-written messages are, byte for byte, what the codec writes', () => {
  fc.assert(
    fc.property(uint32, uint32, uint32, fc.uint8Array(), (creation, slot, generation, body) => {
      const encoder = new RequestEncoder(NODE, creation);
      const connId = new Pid(NODE, slot, generation, creation);
      const request = encoder.requestHead(slot, generation, body.length, false);
      assert.deepEqual(Buffer.concat([request, body]), encodeVersioned(tuple(connId, body)));
      const closed = encoder.closedHead(slot, generation, body.length);
      assert.deepEqual(Buffer.concat([closed, body]), encodeVersioned(tuple(connId, atom('closed'), body)));
    }),
  );
});

test('a request that starts a session carries its client in a map with binary keys', () => {
  const encoder = new RequestEncoder(NODE, 7);
  const meta = encodeMeta({
    ip: '192.0.2.1',
    port: 4711,
    secure: true,
    path: '/bosh',
    origin: '',
    userAgent: 'é',
  });
  const entries = new Map<string, unknown>([
    ['ip', '192.0.2.1'],
    ['port', 4711],
    ['secure', true],
    ['path', '/bosh'],
    ['origin', ''],
    ['user_agent', 'é'],
  ]);
  const sent = Buffer.from('<body/>');
  const term = decodeVersioned(Buffer.concat([encoder.requestHead(1, 2, sent.length, true), sent, meta]));
  assert.ok('elements' in Object(term));
  const [connId, body, map] = (term as ReturnType<typeof tuple>).elements;
  assert.deepEqual(connId, new Pid(NODE, 1, 2, 7));
  assert.deepEqual(body, Buffer.from('<body/>'));
  assert.ok(map instanceof Map);
  const plain = [...map].map(([key, value]) => [
    String(key),
    typeof value === 'number' ? value : readPlain(value),
  ]);
  assert.deepEqual(plain, [...entries]);
});

function readPlain(value: unknown): unknown {
  if (Buffer.isBuffer(value)) return value.toString();
  return (value as { name: string }).name === 'true';
}
