/** Whose address counts behind proxies, trusted and not, and whether the client came over TLS. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TrustedProxies } from '../../../src/http/client-address.js';

const proxies = new TrustedProxies(['127.0.0.1', '10.0.0.0/8', '2001:db8::/32']);

for (const [what, peer, forwardedFor, expected] of [
  ['a direct client', '192.0.2.1', undefined, { ip: '192.0.2.1', port: 5 }],
  ['a direct client that lies', '192.0.2.1', '6.6.6.6', { ip: '192.0.2.1', port: 5 }],
  ['a client seen by a dual-stack socket', '::ffff:192.0.2.1', undefined, { ip: '192.0.2.1', port: 5 }],
  ['one proxy', '10.0.0.1', '192.0.2.1', { ip: '192.0.2.1', port: 0 }],
  ['a proxy seen by a dual-stack socket', '::ffff:10.0.0.1', '192.0.2.1', { ip: '192.0.2.1', port: 0 }],
  ['two proxies', '127.0.0.1', '192.0.2.1, 10.0.0.1', { ip: '192.0.2.1', port: 0 }],
  ['a client that lies to the proxy', '10.0.0.1', '10.9.9.9, 192.0.2.1', { ip: '192.0.2.1', port: 0 }],
  ['a proxy that says nothing', '10.0.0.1', undefined, { ip: '10.0.0.1', port: 5 }],
  ['a proxy that says nonsense', '10.0.0.1', 'unknown', { ip: '10.0.0.1', port: 5, isUnnamed: true }],
  [
    'a proxy that says what only looks like an address',
    '10.0.0.1',
    '088.0.0.1',
    { ip: '10.0.0.1', port: 5, isUnnamed: true },
  ],
  ['a proxy that says nothing in a header', '10.0.0.1', '', { ip: '10.0.0.1', port: 5, isUnnamed: true }],
  ['one that ends with nothing', '10.0.0.1', '192.0.2.1, ', { ip: '10.0.0.1', port: 5, isUnnamed: true }],
  [
    'nonsense behind a trusted hop',
    '127.0.0.1',
    'unknown, 10.0.0.1',
    { ip: '10.0.0.1', port: 0, isUnnamed: true },
  ],
  ['only trusted hops', '127.0.0.1', '10.0.0.2,10.0.0.1', { ip: '10.0.0.2', port: 0 }],
  ['a port', '10.0.0.1', '192.0.2.1:4711', { ip: '192.0.2.1', port: 4711 }],
  ['IPv6', '2001:db8::1', '2001:db9::7', { ip: '2001:db9::7', port: 0 }],
  ['IPv6 in brackets with a port', '10.0.0.1', '[2001:db9::7]:99', { ip: '2001:db9::7', port: 99 }],
  ['a mapped address in the header', '10.0.0.1', '::ffff:192.0.2.1', { ip: '192.0.2.1', port: 0 }],
] as const) {
  test(`${what}: ${peer} forwards for ${forwardedFor ?? 'nobody'}`, () => {
    const found = proxies.clientOf(peer, 5, { forwardedFor, forwardedProto: undefined });
    assert.deepEqual(found, { ...expected, secure: false });
  });
}

test('X-Forwarded-Proto counts from a trusted proxy only, and the nearest one wins', () => {
  const secure = (peer: string, forwardedProto: string) =>
    proxies.clientOf(peer, 5, { forwardedFor: undefined, forwardedProto }).secure;
  assert.equal(secure('10.0.0.1', 'https'), true);
  assert.equal(secure('10.0.0.1', 'HTTPS'), true);
  assert.equal(secure('10.0.0.1', 'http'), false);
  assert.equal(secure('10.0.0.1', 'https, http'), false);
  assert.equal(secure('192.0.2.1', 'https'), false);
});

test('over TLS, a direct client is secure; one behind a proxy is what that says', () => {
  const secure = (peer: string, forwardedProto: string | undefined) =>
    proxies.clientOf(peer, 5, { forwardedFor: undefined, forwardedProto }, true).secure;
  assert.equal(secure('192.0.2.1', undefined), true);
  assert.equal(secure('192.0.2.1', 'http'), true);
  assert.equal(secure('10.0.0.1', 'http'), false);
  assert.equal(secure('10.0.0.1', 'https'), true);
});
