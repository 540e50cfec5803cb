import assert from 'node:assert/strict';
import { test } from 'node:test';
import { maskOf } from './steering.js';

test('a set of cores is written as the kernel reads it', () => {
  assert.equal(maskOf('0'), '00000001');
  assert.equal(maskOf('2,3'), '0000000c');
  assert.equal(maskOf('31,32,63'), '80000001,80000000');
});
