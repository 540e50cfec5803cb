/** Which requests open a WebSocket, and what those hear that do not. */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accept, switching, type UpgradeHeader, Upgrades } from '../../../src/websocket/upgrade.js';

type Headers = Partial<Record<UpgradeHeader, string>>;

const GOOD: Headers = {
  host: 'chat.example.org',
  upgrade: 'websocket',
  connection: 'Upgrade',
  'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
  'sec-websocket-version': '13',
  'sec-websocket-protocol': 'xmpp',
};

function refusal(headers: Headers, { method = 'GET', isHttp11 = true, origins = ['*'] } = {}) {
  const all: Headers = { ...GOOD, ...headers };
  return new Upgrades(origins).refusalOf({ method, isHttp11, header: (name) => all[name] });
}

const without = (...names: UpgradeHeader[]): Record<string, undefined> =>
  Object.fromEntries(names.map((name) => [name, undefined]));

test('a handshake is granted, however its headers are written', () => {
  assert.equal(refusal({}), undefined);
  assert.equal(refusal({ upgrade: 'WebSocket', connection: 'keep-alive, Upgrade' }), undefined);
  assert.equal(refusal({ upgrade: 'h2c, WEBSOCKET', connection: 'UPGRADE , x' }), undefined);
  assert.equal(refusal({ 'sec-websocket-protocol': 'chat, xmpp' }), undefined);
  assert.equal(refusal({ 'sec-websocket-protocol': 'chat,xmpp,x' }), undefined);
});

test('a plain request hears how it is to be sent', () => {
  const plain = without('upgrade', 'connection', 'sec-websocket-key');
  for (const other of [
    refusal(plain as Headers),
    refusal(plain as Headers, { method: 'HEAD' }),
    // HTTP/1.0 knows no Upgrade (RFC 9110 §7.8).
    refusal({}, { isHttp11: false }),
  ]) {
    assert.equal(other?.status, 426);
    assert.deepEqual(Object.fromEntries(other.headers), {
      upgrade: 'websocket',
      connection: 'upgrade',
      'sec-websocket-version': '13',
    });
  }
});

test('another version hears which one is known', () => {
  for (const version of ['8', '12', '14', '13, 13', '']) {
    const other = refusal({ 'sec-websocket-version': version });
    assert.equal(other?.status, 426, version);
    assert.match(JSON.stringify(other.headers), /\["sec-websocket-version","13"\]/);
  }
});

test('what a proxy stripped is called for', () => {
  for (const headers of [
    without('upgrade', 'connection'),
    without('upgrade'),
    without('connection'),
    { connection: 'keep-alive' },
    { upgrade: 'h2c' },
  ]) {
    const other = refusal(headers as Headers);
    assert.equal(other?.status, 400);
    assert.match(other.why, /"Upgrade: websocket" and "Connection: Upgrade"/);
  }
});

test('a key that is not 16 bytes is refused', () => {
  const good = GOOD['sec-websocket-key'];
  for (const key of [
    undefined,
    '',
    'x',
    'dGhlIHNhbXBsZSBub25jZQ',
    'dGhlIHNhbXBsZSBub25jZSE=',
    `${good}, ${good}`,
  ]) {
    assert.match(refusal({ 'sec-websocket-key': key } as Headers)?.why ?? '', /Sec-WebSocket-Key/, key);
  }
});

test('a client that does not offer xmpp is told to', () => {
  for (const offered of [undefined, '', 'chat', 'XMPP', 'xmpp2, chat']) {
    const other = refusal({ 'sec-websocket-protocol': offered } as Headers);
    assert.equal(other?.status, 400);
    assert.match(other.why, /Sec-WebSocket-Protocol: xmpp/);
  }
});

test('another method is refused, with those that are allowed', () => {
  for (const method of ['POST', 'OPTIONS', '']) {
    const other = refusal({}, { method });
    assert.equal(other?.status, 405);
    assert.deepEqual(other.headers, [['allow', 'GET, HEAD']]);
  }
});

test('a page of another origin is refused; of an allowed one, of the same place, or no page at all is not', () => {
  const origins = ['https://a.example', 'http://b.example:8000'];
  for (const origin of [
    'https://a.example',
    'http://b.example:8000',
    'https://chat.example.org',
    undefined,
  ]) {
    assert.equal(refusal({ origin } as Headers, { origins }), undefined, origin);
  }
  for (const origin of ['http://a.example', 'https://b.example:8000', 'https://evil.example', 'null', '']) {
    assert.equal(refusal({ origin }, { origins })?.status, 403, origin);
    assert.equal(refusal({ origin }, { origins: ['https://a.example', '*'] }), undefined);
  }
  assert.equal(refusal({ origin: 'https://chat.example.org:8443' }, { origins })?.status, 403);
});

test('the answer proves that the key was read (RFC 6455 §1.3)', () => {
  assert.equal(accept('dGhlIHNhbXBsZSBub25jZQ=='), 's3pPLMBiTxaQ9kYGzzhZRbK+xOo=');
  assert.equal(
    switching('dGhlIHNhbXBsZSBub25jZQ==', 'xmpp').toString(),
    'HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n' +
      'sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nsec-websocket-protocol: xmpp\r\n\r\n',
  );
  assert.doesNotMatch(switching('dGhlIHNhbXBsZSBub25jZQ==').toString(), /protocol:/);
});
