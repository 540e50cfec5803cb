/** The load generator's reader of HTTP: responses whole and byte by byte, and what it refuses. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ResponseReader } from '../../../scripts/load/http-response.js';

const RESPONSES = [
  {
    name: 'a length',
    text: 'HTTP/1.1 200 OK\r\nContent-Type: text/xml\r\nContent-Length: 5\r\n\r\nhello',
    expected: { status: 200, body: 'hello', retryAfter: undefined, keepAlive: true },
  },
  {
    name: 'no body',
    text: 'HTTP/1.1 404 Not Found\r\ncontent-length:0\r\n\r\n',
    expected: { status: 404, body: '', retryAfter: undefined, keepAlive: true },
  },
  {
    name: 'a length in bytes, not characters',
    text: 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n\u00c3\u00a9',
    expected: { status: 200, body: '\u00c3\u00a9', retryAfter: undefined, keepAlive: true },
  },
  {
    name: 'a connection that closes',
    text: 'HTTP/1.1 503 Overload\r\nRetry-After: 2\r\nConnection: Close\r\nContent-Length: 2\r\n\r\nno',
    expected: { status: 503, body: 'no', retryAfter: 2, keepAlive: false },
  },
  {
    name: 'HTTP/1.0, which closes',
    text: 'HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok',
    expected: { status: 200, body: 'ok', retryAfter: undefined, keepAlive: false },
  },
  {
    name: 'chunks',
    text: 'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nA;x=y\r\n0123456789\r\n0\r\n\r\n',
    expected: { status: 200, body: 'abc0123456789', retryAfter: undefined, keepAlive: true },
  },
];

for (const { name, text, expected } of RESPONSES) {
  test(`reads a response with ${name}, whole`, () => {
    assert.deepEqual(new ResponseReader().push(text), expected);
  });

  test(`reads a response with ${name}, byte by byte, and the one after it`, () => {
    const reader = new ResponseReader();
    for (let round = 0; round < 2; round += 1) {
      const answers = [...text].map((byte) => reader.push(byte));
      assert.deepEqual(answers.pop(), expected);
      assert.ok(answers.every((answer) => answer === undefined));
    }
  });
}

for (const [name, text] of [
  ['is no HTTP', 'SSH-2.0-x\r\n\r\n'],
  ['has no length', 'HTTP/1.1 200 OK\r\n\r\n'],
  ['is followed by more', 'HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1'],
] as const) {
  test(`refuses what ${name}`, () => {
    assert.throws(() => new ResponseReader().push(text), Error);
  });
}
