/** The bytes to and from EPMD, as its protocol has them. */
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  decodeLookup,
  decodeNames,
  decodeRegistered,
  encodeLookup,
  encodeNames,
  encodeRegister,
} from '../../../src/distribution/epmd.js';

const hex = (text: string): Buffer => Buffer.from(text.replaceAll(' ', ''), 'hex');

describe('EPMD messages', () => {
  test('a registration says hidden, TCP, version 6 only', () => {
    assert.deepEqual(encodeRegister('abc', 0x1234), hex('0010 78 1234 48 00 0006 0006 0003 616263 0000'));
  });

  test('a lookup and a names request', () => {
    assert.deepEqual(encodeLookup('abc'), hex('0004 7a 616263'));
    assert.deepEqual(encodeNames(), hex('0001 6e'));
  });

  const answers = [
    ['registered, 32-bit creation', decodeRegistered, '76 00 81020304', { ok: true, creation: 0x81020304 }],
    ['registered by an older EPMD', decodeRegistered, '79 00 0003', { ok: true, creation: 3 }],
    ['name taken', decodeRegistered, '76 01 00000063', { ok: false, creation: 0x63 }],
    ['found', decodeLookup, '77 00 1234', 0x1234],
    ['not found', decodeLookup, '77 01', null],
  ] as const;
  for (const [what, decode, bytes, expected] of answers) {
    test(`an answer, byte by byte: ${what}`, () => {
      const answer = hex(bytes);
      for (let length = 0; length < answer.length; length++) {
        assert.equal(decode(answer.subarray(0, length)), undefined);
      }
      assert.deepEqual(decode(answer), expected);
    });
  }

  test('what follows the port of a found node is ignored', () => {
    assert.equal(decodeLookup(hex('77 00 1234 4d 00 0006 0006 0003 616263 0000')), 0x1234);
  });

  test('names are read line by line', () => {
    const text = 'name ejabberd at port 4370\nname rabbit-1 at port 25672\n';
    assert.deepEqual(decodeNames(Buffer.concat([hex('00001111'), Buffer.from(text)])), [
      { alive: 'ejabberd', port: 4370 },
      { alive: 'rabbit-1', port: 25672 },
    ]);
    assert.deepEqual(decodeNames(hex('00001111')), []);
  });

  test('a daemon that is no EPMD is told apart', () => {
    const http = Buffer.from('HTTP/1.1 400 Bad Request\r\n');
    assert.throws(() => decodeRegistered(http), { code: 'EPMD_PROTOCOL' });
    assert.throws(() => decodeLookup(http), { code: 'EPMD_PROTOCOL' });
    assert.throws(() => decodeNames(Buffer.of(1)), { code: 'EPMD_PROTOCOL' });
  });
});
