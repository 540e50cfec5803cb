/** What aborted connections leave behind: nothing, wherever in a request they end. */

import assert from 'node:assert/strict';
import { connect } from 'node:net';
import { after, test } from 'node:test';
import type { ClientInfo } from '../../../src/gateway/meta.js';
import type { HttpExchange, HttpRequest } from '../../../src/gateway/ports.js';
import { happens } from '../../support/until.js';
import { listen } from './serve.js';

const told: ClientInfo[] = [];
/** Answers each request with its body. */
const echo = {
  request(exchange: HttpExchange, { body, client }: HttpRequest): number {
    told.push(client);
    exchange.answer(200, [], body);
    return 0;
  },
  closed(): void {},
  release(): void {},
};
const front = await listen(echo, { trustedProxies: ['127.0.0.1'] });
after(() => front.close());

/** Cuts the connection off behind these bytes, once the front has them. */
async function abort(text: string): Promise<void> {
  const socket = connect(front.port, '127.0.0.1');
  socket.on('error', () => {});
  await happens(socket, 'connect');
  socket.write(text, 'latin1');
  // The write is with the system; what is answered, if anything, is not waited for.
  await new Promise(setImmediate);
  socket.resetAndDestroy();
  await happens(socket, 'close');
}

const BODY = "<body rid='2' sid='abcdef.1' xmlns='http://jabber.org/protocol/httpbind'/>";
/** First what the gateway is told of: a value that was cut would stand in front of it. */
const STRANGER = [
  'POST /bosh HTTP/1.1',
  'X-Forwarded-For: 192.0.2.1',
  'Host: gateway.example',
  'Connection: close',
  `Content-Length: ${BODY.length}`,
  '',
  BODY,
].join('\r\n');

/** What a stranger's request hears, on a connection of its own. */
async function ask(): Promise<string> {
  const socket = connect(front.port, '127.0.0.1');
  socket.setEncoding('latin1').write(STRANGER);
  let answer = '';
  for await (const text of socket) answer += text;
  return answer;
}

async function checkStranger(before: string): Promise<void> {
  told.length = 0;
  const answer = await ask();
  assert.match(answer, /^HTTP\/1\.1 200 /, before);
  assert.ok(answer.endsWith(`\r\n\r\n${BODY}`), before);
  const info = { ip: '192.0.2.1', port: 0, secure: false, path: '/bosh', origin: '', userAgent: '' };
  assert.deepEqual(told, [info], before);
}

const HEAD = 'POST /http-bind HTTP/1.1\r\nHost: x\r\n';
const CHUNKS = '4\r\nabcd\r\n2;x=y\r\nef\r\n0\r\nUser-Agent: a,b\r\n\r\n';
const REQUESTS = {
  browser: `${HEAD}User-Agent: Mozilla/5.0 (X11; Linux), like a,b\r\nX-Forwarded-For: 198.51.100.7, 10.0.0.1\r\nOrigin: https://a.example\r\nExpect: 100-continue\r\nContent-Length: 4\r\n\r\nabcd`,
  chunks: `${HEAD}Transfer-Encoding: chunked\r\n\r\n${CHUNKS}`,
  refused: `${HEAD}Transfer-Encoding: chunked, x\r\nExpect: zz\r\nContent-Length: 99999999\r\n\r\n`,
};

for (const [what, text] of Object.entries(REQUESTS)) {
  test(`aborted at every byte, it changes nothing of a stranger's request: ${what}`, async () => {
    for (let end = 1; end < text.length; end += 1) {
      const part = text.slice(0, end);
      await abort(part);
      await checkStranger(part);
    }
  });
}

test('nor do many that are aborted at once', async () => {
  for (const value of ['a,b', 'chunked, x', 'zz', '99999999', '203.0.113.9']) {
    for (const name of ['User-Agent', 'X-Forwarded-For', 'Transfer-Encoding', 'Expect', 'Content-Length']) {
      const part = `POST /bosh HTTP/1.1\r\n${name}: ${value}`;
      await Promise.all(Array.from({ length: 20 }, () => abort(part)));
      await checkStranger(part);
    }
  }
});
