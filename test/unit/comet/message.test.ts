import assert from 'node:assert/strict';
import { test } from 'node:test';
import { alone, contentOf } from '../../../src/comet/message.js';

test('what is kept keeps nothing else: not what it came in, nor a slab that others share', () => {
  const received = Buffer.alloc(65_536, 'x');
  for (const body of [received.subarray(0, 11), Buffer.from('hello'), Buffer.alloc(0)]) {
    const kept = alone(contentOf(body, undefined));
    assert.deepEqual(kept.body, body);
    assert.equal(kept.body.buffer.byteLength, body.length);
    assert.equal(alone(kept), kept);
  }
  const whole = contentOf(received, undefined);
  assert.equal(alone(whole), whole);
});
