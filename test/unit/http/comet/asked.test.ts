/** What a request for `/comet/…` asks for, which pages may ask, and whose cookies count. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { cookieIn, idsIn, read } from '../../../../src/http/comet/asked.js';
import { Origins } from '../../../../src/http/comet/origins.js';
import { RequestParser } from '../../../../src/http/request-parser.js';

const CLIENT = { ip: '', port: 0, secure: false, path: '', origin: '', userAgent: '' };

function parsed(target: string, ...headers: string[]): RequestParser {
  const parser = new RequestParser(0);
  const head = [`GET ${target} HTTP/1.1`, 'Host: chat.example', ...headers, '', ''].join('\r\n');
  parser.read(Buffer.from(head, 'latin1'), 0);
  assert.ok(parser.isComplete);
  return parser;
}

function asked(target: string, ...headers: string[]) {
  const what = read({ parser: parsed(target, ...headers), client: CLIENT }, 3, true);
  if (typeof what === 'string') assert.fail(what);
  return what;
}

test('ids: percent-encoded, by commas, each once, in their order', () => {
  assert.deepEqual(idsIn('b,a%2Cc,b', 3), ['b', 'a,c']);
  assert.deepEqual(idsIn('%F0%9F%93%A3', 1), ['📣']);
  // Bytes that some clients send as they are.
  assert.deepEqual(idsIn(Buffer.from('ä').toString('latin1'), 1), ['ä']);
  assert.deepEqual(idsIn('x'.repeat(255), 1), ['x'.repeat(255)]);
});

for (const list of [
  '',
  'a,',
  'a,,b',
  '%',
  '%zz',
  '%ff',
  '%c3',
  'x'.repeat(256),
  '%C3%A4'.repeat(128),
  '\xff',
]) {
  test(`no ids: ${list.slice(0, 20)}`, () => {
    assert.equal(typeof idsIn(list, 3), 'string');
  });
}

test('more than a connection may listen to', () => {
  assert.match(String(idsIn('a,b,c,d', 3)), /3 ids/);
});

test('any text goes there and back', () => {
  const id = fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(fc.uniqueArray(id, { minLength: 1, maxLength: 3 }), (ids) => {
      assert.deepEqual(idsIn(ids.map(encodeURIComponent).join(','), 3), ids);
    }),
  );
});

for (const [target, headers, transport] of [
  ['/comet/1', [], 'stream'],
  ['/comet/1', ['Accept: */*'], 'stream'],
  ['/comet/1', ['Accept: text/html, Text/Event-Stream'], 'sse'],
  ['/comet/1?sse', [], 'sse'],
  ['/comet/1?poll', ['Accept: text/event-stream'], 'poll'],
  ['/comet/1?poll', ['Upgrade: websocket', 'Connection: Upgrade', 'Sec-WebSocket-Key: x'], 'websocket'],
  ['http://chat.example/comet/1?x=1&poll=1', [], 'poll'],
] as const) {
  test(`${target} with ${headers.join(', ') || 'no header'}: ${transport}`, () => {
    assert.equal(asked(target, ...headers).transport, transport);
  });
}

test('the place: the header goes before the query, for a page that reconnects has the older one in its URL', () => {
  assert.equal(asked('/comet/1').place, undefined);
  assert.equal(asked('/comet/1?last-event-id=a.1%3Bb.2').place, 'a.1;b.2');
  assert.equal(asked('/comet/1?last-event-id=a', 'Last-Event-ID: b').place, 'b');
});

test('the token: the query goes before the header', () => {
  assert.equal(asked('/comet/1', 'Authorization: bearer a.b.c').token, 'a.b.c');
  assert.equal(asked('/comet/1?token=x', 'Authorization: Bearer a.b.c').token, 'x');
  assert.equal(asked('/comet/1', 'Authorization: Basic a').token, undefined);
});

test('a cookie among others', () => {
  const header = 'a=b; megaphone_token=x.y=z ; megaphone_token2=no';
  assert.equal(cookieIn(header, 'megaphone_token'), 'x.y=z');
  assert.equal(cookieIn(header, 'token'), undefined);
  assert.equal(cookieIn('', 'megaphone_token'), undefined);
});

const NAMED = 'https://app.example';
for (const [origins, headers, mayListen, cookiesCount, lines] of [
  [['*'], [], true, true, 'access-control-allow-origin: *\r\n'],
  [['*'], ['Origin: https://evil.example'], true, false, 'access-control-allow-origin: *\r\n'],
  [['*'], ['Origin: null'], true, false, 'access-control-allow-origin: *\r\n'],
  [['*'], ['Origin: http://chat.example'], true, true, 'access-control-allow-origin: *\r\n'],
  [['*'], ['Sec-Fetch-Site: cross-site'], true, false, 'access-control-allow-origin: *\r\n'],
  [['*'], ['Sec-Fetch-Site: same-origin'], true, true, 'access-control-allow-origin: *\r\n'],
  [['*'], ['Sec-Fetch-Site: none'], true, true, 'access-control-allow-origin: *\r\n'],
  [[NAMED], [], true, true, 'vary: Origin\r\n'],
  [[NAMED], ['Origin: https://evil.example'], false, false, 'vary: Origin\r\n'],
  [
    [NAMED, '*'],
    [`Origin: ${NAMED}`],
    true,
    true,
    `access-control-allow-origin: ${NAMED}\r\naccess-control-allow-credentials: true\r\nvary: Origin\r\n`,
  ],
  [
    [NAMED, '*'],
    ['Origin: https://evil.example'],
    true,
    false,
    'access-control-allow-origin: *\r\nvary: Origin\r\n',
  ],
] as const) {
  test(`cors_origins ${origins}: a page with ${headers[0] ?? 'no header'}`, () => {
    const rules = new Origins(origins);
    const request = parsed('/comet/1', ...headers);
    assert.equal(rules.mayListen(request, false), mayListen);
    assert.equal(rules.cookiesCount(request, false), cookiesCount);
    assert.equal(rules.linesFor(request), lines);
  });
}

test('a page of the same place that came without TLS is near only where there is none', () => {
  const rules = new Origins([]);
  for (const [origin, isSecure, isNear] of [
    ['https://chat.example', true, true],
    ['https://chat.example', false, true],
    ['http://chat.example', false, true],
    ['http://chat.example', true, false],
    ['ftp://chat.example', false, false],
    ['chat.example', false, false],
  ] as const) {
    const request = parsed('/comet/1', `Origin: ${origin}`);
    assert.equal(rules.mayListen(request, isSecure), isNear, origin);
    assert.equal(rules.cookiesCount(request, isSecure), isNear, origin);
  }
});

test('headers that only comet reads are kept for its path alone', () => {
  assert.equal(parsed('/comet/1', 'Cookie: a=b').header('cookie'), 'a=b');
  assert.equal(parsed('http://x/comet/1', 'Cookie: a=b').header('cookie'), 'a=b');
  assert.equal(parsed('/bosh', 'Cookie: a=b').header('cookie'), undefined);
});
