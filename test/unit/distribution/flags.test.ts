/** The distribution flags that we offer, and those that we demand. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { FLAGS, missingFlags, OUR_FLAGS } from '../../../src/distribution/flags.js';

describe('distribution flags', () => {
  test('ours are what a real node accepted, with EXIT_PAYLOAD', () => {
    assert.equal(OUR_FLAGS, 0x407070fbcn | 0x400000n);
  });

  test('we are hidden, and take neither spawn requests, aliases nor distribution headers', () => {
    for (const bit of [FLAGS.PUBLISHED, FLAGS.ALIAS, FLAGS.NAME_ME, 1n << 32n, 0x2000n, 0x800000n]) {
      assert.equal(OUR_FLAGS & bit, 0n);
    }
  });

  test('a peer like ourselves will do; every missing flag is named', () => {
    assert.deepEqual(missingFlags(OUR_FLAGS), []);
    assert.deepEqual(missingFlags(OUR_FLAGS & ~FLAGS.V4_NC & ~FLAGS.MAP_TAG), ['MAP_TAG', 'V4_NC']);
    assert.equal(missingFlags(0n).length, 13);
  });

  test('what is only nice to have is not demanded', () => {
    assert.deepEqual(missingFlags(OUR_FLAGS & ~FLAGS.EXIT_PAYLOAD), []);
  });
});
