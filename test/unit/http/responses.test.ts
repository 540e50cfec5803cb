/** What a client hears, and pages and browsers with it, of a connection without a socket. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import {
  CHUNKED,
  CLOSE,
  GET,
  HEAD,
  HEADER_TIMEOUT,
  LARGE,
  lastOf,
  MAX_BODY,
  Machine,
  POST,
} from './machine.js';

const post = (body: string, ...headers: string[]): string =>
  [`POST /bosh HTTP/1.1`, 'Host: x', `Content-Length: ${body.length}`, ...headers, '', body].join('\r\n');
const REST = 'HTTP/1.1\r\nHost: x\r\n';

/** A machine that was sent that. */
function sent(text: string): Machine {
  const machine = new Machine();
  machine.send(text);
  return machine;
}

for (const [status, text] of [
  [400, 'POST /bosh HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n'],
  [417, 'POST /bosh HTTP/1.1\r\nHost: x\r\nExpect: wonders\r\n\r\n'],
  [431, `GET /bosh HTTP/1.1\r\nHost: x\r\nA: ${'a'.repeat(20_000)}`],
  [501, 'POST /bosh HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n'],
  [505, 'GET /bosh HTTP/2.0\r\nHost: x\r\n\r\n'],
] as const) {
  test(`${status} says why, allows pages to see it, and closes: ${JSON.stringify(text.slice(0, 60))}`, () => {
    const { wire } = sent(text);
    assert.match(wire.written, new RegExp(`^HTTP/1\\.1 ${status} \\w`));
    assert.match(wire.written, /\r\naccess-control-allow-origin: \*\r\n/);
    assert.match(wire.written, /\r\ncontent-length: [1-9]/);
    assert.match(wire.written, /\r\nconnection: close\r\n/);
    assert.equal(wire.isEnded, true);
  });
}

test('a request that takes too long hears no 4xx, which would end a BOSH session', () => {
  const machine = sent('POST');
  machine.wait(HEADER_TIMEOUT + 1);
  assert.match(machine.wire.written, /^HTTP\/1\.1 503 .*\r\nretry-after: 2\r\n.*took too long/s);
});

/** What a request hears when its head is read: the phase it leads to, without and with a held request before it. */
const LENGTH = (bytes: number): string => `Content-Length: ${bytes}\r\n`;
const EXPECT = 'Expect: 100-continue\r\n';
const HEADS: readonly (readonly [head: string, alone: string, behind: string])[] = [
  [`${HEAD + LENGTH(5)}\r\n`, 'body', 'body'],
  [`${HEAD + LENGTH(5) + EXPECT}\r\n`, 'body+100', 'expecting'],
  [`${HEAD + LENGTH(MAX_BODY + 1)}\r\n`, 'skipped+413', 'skipped'],
  [`${HEAD + CLOSE + LENGTH(MAX_BODY + 1)}\r\n`, 'ended+413', 'last'],
  [`${HEAD + LENGTH(MAX_BODY + 1) + EXPECT}\r\n`, 'ended+413', 'last'],
  [`${(HEAD + LENGTH(5) + EXPECT).replace('/bosh', '/nothing')}\r\n`, 'ended+404', 'last'],
  [`${(HEAD + LENGTH(5) + EXPECT).replace('POST', 'PUT')}\r\n`, 'ended+405', 'last'],
  [`${(HEAD + LENGTH(5)).replace('/bosh', '/nothing')}\r\n`, 'body', 'body'],
  [`${HEAD + CLOSE + LENGTH(5)}\r\n`, 'body', 'body'],
];

for (const [head, alone, behind] of HEADS) {
  test(`${JSON.stringify(head.slice(HEAD.length))} → ${alone}, and ${behind} behind one that is held`, () => {
    const first = new Machine();
    first.send(head);
    assert.equal([first.phase, ...first.statuses].join('+'), alone);
    const second = new Machine();
    second.send(POST + head);
    second.turn();
    assert.equal([second.phase, ...second.statuses].join('+'), behind);
  });
}

/** Whole requests: the phase, and what the client hears. */
const REQUESTS: readonly (readonly [request: string, result: string])[] = [
  [POST, 'held'],
  [lastOf(POST), 'last'],
  [GET, 'idle+200'],
  [lastOf(GET), 'ended+200'],
  [GET.replace('GET', 'PUT'), 'ended+405'],
  [GET.replace('/bosh', '/nothing'), 'ended+404'],
  [GET.replace('1.1', '1.0'), 'ended+200'],
  [`\r\n${GET}\r\n`, 'idle+200'],
  [HEAD + CHUNKED + LARGE, 'idle+413'],
  [lastOf(HEAD + CHUNKED + LARGE), 'ended+413'],
];

for (const [request, result] of REQUESTS) {
  test(`${JSON.stringify(request.slice(0, 70))} → ${result}`, () => {
    const machine = new Machine();
    machine.send(request);
    assert.equal([machine.phase, ...machine.statuses].join('+'), result);
  });
  test(`${JSON.stringify(request.slice(0, 70))} is the last one while the gateway stops`, () => {
    const machine = new Machine();
    machine.stop();
    assert.equal(machine.phase, 'ahead');
    machine.send(request);
    assert.equal(machine.phase, result === 'held' || result === 'last' ? 'last' : 'ended');
  });
}

/** What a browser says about a request: the header lines, and whether its answer is for a script. */
const SAID: readonly (readonly [headers: readonly string[], isForScript: boolean])[] = [
  [[], true],
  [['Sec-Fetch-Mode: cors', 'Sec-Fetch-Dest: empty', 'Sec-Fetch-Site: cross-site'], true],
  [['sec-fetch-mode: same-origin', 'sec-fetch-dest: empty'], true],
  [['Sec-Fetch-Mode: no-cors', 'Sec-Fetch-Dest: empty'], true],
  [['Sec-Fetch-User: ?1', 'Sec-Fetch-Sure: x'], true],
  [['Sec-Fetch-Mode:', 'Sec-Fetch-Dest: '], true],
  [['Sec-Fetch-Mode: navigate', 'Sec-Fetch-Dest: document'], false],
  [['Sec-Fetch-Mode: navigate'], false],
  [['Sec-Fetch-Mode: nested-navigate'], false],
  [['Sec-Fetch-Mode: websocket', 'Sec-Fetch-Dest: websocket'], false],
  [['Sec-Fetch-Mode: cors', 'Sec-Fetch-Mode: navigate'], false],
  ...['document', 'iframe', 'frame', 'embed', 'object', 'fencedframe'].map(
    (dest) => [[`Sec-Fetch-Dest: ${dest}`], false] as const,
  ),
];

for (const [headers, isForScript] of SAID) {
  test(`a request is ${isForScript ? 'taken' : 'refused'} with ${JSON.stringify(headers)}`, () => {
    const { bodies, front, wire } = sent(post('a', ...headers));
    assert.deepEqual(bodies, isForScript ? ['a'] : []);
    if (!isForScript) assert.match(wire.written, /^HTTP\/1\.1 403 .*\r\ncontent-type: text\/plain.*\n$/s);
    assert.equal(front.counters.refused.navigation, isForScript ? 0 : 1);
    // A page may be looked at.
    const page = sent(['GET /bosh HTTP/1.1', 'Host: x', ...headers, '', ''].join('\r\n'));
    assert.match(page.wire.written, /^HTTP\/1\.1 200 /);
  });
}

for (const text of [
  post('~a'),
  post('a', 'Sec-Fetch-Mode: navigate'),
  post('more than ten'),
  `GET /bosh ${REST}\r\n`,
  `HEAD /bosh ${REST}\r\n`,
  `OPTIONS /bosh ${REST}\r\n`,
  `PUT /bosh ${REST}\r\n`,
  `POST /nothing ${REST}\r\n`,
  'POST /bosh HTTP/1.1\n',
  `POST /bosh ${REST}Transfer-Encoding: gzip\r\n\r\n`,
]) {
  test(`nothing of an answer runs in a browser: ${JSON.stringify(text)}`, () => {
    const machine = sent(text);
    // What ejabberd's side says, too, can only add to it.
    machine.exchanges[0]?.answer(
      200,
      [
        ['x-content-type-options', 'none'],
        ['Content-Security-Policy', 'img-src *'],
      ],
      Buffer.from('~a'),
    );
    const lines = machine.wire.written.split('\r\n');
    const nosniff = lines.find((line) => /^x-content-type-options:/i.test(line));
    assert.equal(nosniff, 'x-content-type-options: nosniff');
    assert.ok(lines.includes('content-security-policy: sandbox'), machine.wire.written);
  });
}

test('an HTTP/1.0 client is closed behind its answer, or goes on where it asks for that', () => {
  const old = sent('POST /bosh HTTP/1.0\r\nContent-Length: 1\r\n\r\na');
  old.answer('~a');
  assert.match(old.wire.written, /\r\nconnection: close\r\n.*~a$/s);
  assert.equal(old.phase, 'ended');
  const going = sent('POST /bosh HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 1\r\n\r\nb');
  going.answer('~b');
  assert.match(going.wire.written, /\r\nconnection: keep-alive\r\n.*~b$/s);
  going.send('POST /bosh HTTP/1.0\r\nContent-Length: 1\r\n\r\nc');
  assert.deepEqual([going.phase, going.bodies], ['last', ['b', 'c']]);
});

test('a HEAD request and a 204 have no body, and the next answer follows', () => {
  const machine = sent(`HEAD /bosh ${REST}\r\n`);
  machine.send(`OPTIONS /bosh ${REST}\r\n`);
  machine.send(`GET /bosh ${REST}Connection: close\r\n\r\n`);
  const [head = '', options = '', get = ''] = machine.wire.written.split(/(?=HTTP\/1\.1 \d)/);
  assert.match(head, /^HTTP\/1\.1 200 OK\r\n.*\r\ncontent-length: \d+\r\n\r\n$/s);
  assert.match(options, /^HTTP\/1\.1 204 No Content\r\n.*\r\n\r\n$/s);
  assert.doesNotMatch(options, /content-length/);
  assert.match(get, /\r\ndate: \w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT\r\n/);
  assert.match(get, /web chat clients.*\n$/is);
});

test('whatever ends a connection, the answers that are due come first', () => {
  for (const [behind, end, status] of [
    [HEAD + CHUNKED + LARGE.slice(0, MAX_BODY + 9), (machine: Machine) => machine.wait(100), 413],
    ['POST', (machine: Machine) => machine.wait(100), 503],
    [`POST /nothing ${REST}Content-Length: 5\r\nExpect: 100-continue\r\n\r\n`, () => {}, 404],
    ['POST /bosh HTTP/1.1\nHost: x\n\n', () => {}, 400],
  ] as const) {
    const machine = sent(post('a') + behind + (status === 400 ? post('b') : ''));
    machine.turn();
    end(machine);
    // As long as it takes.
    machine.wait(1000);
    assert.deepEqual([machine.phase, machine.statuses], ['last', []]);
    machine.answer('~a');
    assert.match(machine.wire.written, /^HTTP\/1\.1 200 [^~]*\r\nconnection: keep-alive\r\n[^~]*~aHTTP/);
    assert.match(machine.wire.written, new RegExp(`~aHTTP/1\\.1 ${status} .*\r\nconnection: close\r\n`, 's'));
    assert.deepEqual([machine.phase, machine.statuses, machine.bodies], ['ended', [200, status], ['a']]);
  }
});

test('an empty line behind a request does not begin another one, nor does it count as one', () => {
  const machine = sent(`${post('a')}\r\n`);
  machine.answer('~a');
  machine.wait(50);
  machine.send('\r\n');
  // Cut as an idle connection: there is no answer.
  machine.wait(26);
  assert.equal(machine.phase, 'closed');
  assert.match(machine.wire.written, /~a$/);
});
