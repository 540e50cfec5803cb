/** Frames to clients, as the `ws` package reads them. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  closeFrame,
  MAX_NUMBER,
  pingFrame,
  pongFrame,
  pongNumber,
  textFrame,
} from '../../../src/websocket/writer.js';
import { Receiver } from '../../support/ws-receiver.js';

const MAX_CLOSE_REASON = 123;

/** What a client made of `ws` hears. */
function heard(bytes: Buffer): string[] {
  const lines: string[] = [];
  const receiver = new Receiver({ isServer: false });
  receiver.on('message', (data: Buffer, isBinary: boolean) =>
    lines.push(`${isBinary ? 'binary' : 'text'} ${data}`),
  );
  receiver.on('ping', (data: Buffer) => lines.push(`ping ${data.toString('hex')}`));
  receiver.on('pong', (data: Buffer) => lines.push(`pong ${data.toString('hex')}`));
  receiver.on('conclude', (code: number, reason: Buffer) => lines.push(`close ${code} ${reason}`));
  receiver.on('error', (error: Error) => lines.push(error.message));
  receiver.write(bytes);
  return lines;
}

test('texts of every length of header, which takes as few bytes as can be', () => {
  for (const length of [0, 1, 125, 126, 127, 128, 65535, 65536, 65537, 200_000]) {
    const text = Buffer.alloc(length, 'x');
    assert.deepEqual(heard(textFrame(text)), [`text ${text}`]);
    assert.equal(textFrame(text).length - length, length < 126 ? 2 : length < 65536 ? 4 : 10);
  }
});

test('the number of a Ping is read from its Pong, and from no other', () => {
  for (const number of [0, 1, 255, 2 ** 32, MAX_NUMBER]) {
    const frame = pingFrame(number);
    const payload = frame.subarray(2);
    assert.deepEqual(heard(frame), [`ping ${payload.toString('hex')}`]);
    assert.equal(pongNumber(payload), number);
  }
  assert.equal(pongNumber(Buffer.alloc(0)), -1);
  assert.equal(pongNumber(Buffer.alloc(5)), -1);
  assert.equal(pongNumber(Buffer.alloc(125)), -1);
});

test('a Pong says what the Ping said', () => {
  assert.deepEqual(heard(pongFrame(Buffer.from('ab'))), ['pong 6162']);
});

test('a Close frame has a code and a reason, or none', () => {
  assert.deepEqual(heard(closeFrame(1000)), ['close 1000 ']);
  assert.deepEqual(heard(closeFrame(4999, Buffer.from('grüß'))), ['close 4999 grüß']);
  assert.deepEqual(heard(closeFrame(1005)), ['close 1005 ']);
});

test('a reason that is too long is cut between two characters', () => {
  for (const letter of ['x', 'ü', '€', '😀']) {
    for (const ahead of ['', 'a', 'ab', 'abc']) {
      const reason = ahead + letter.repeat(200);
      const [line = ''] = heard(closeFrame(1000, Buffer.from(reason)));
      const told = line.replace('close 1000 ', '');
      assert.ok(reason.startsWith(told), line);
      assert.ok(
        Buffer.byteLength(told) > MAX_CLOSE_REASON - 4 && Buffer.byteLength(told) <= MAX_CLOSE_REASON,
      );
    }
  }
});
