/** TLS between nodes without Erlang: two of ours meet, or do not; and what the files must be. */
import assert from 'node:assert/strict';
import { chmodSync, copyFileSync, writeFileSync } from 'node:fs';
import { after, afterEach, before, describe, test } from 'node:test';
import { Authority, type Issued, type NodeFiles } from '../../../scripts/support/authority.js';
import type { MegaphoneError } from '../../../src/errors.js';
import { Cookie } from '../../../src/node/cookie.js';
import { HiddenNode, type NodeOptions } from '../../../src/node/hidden-node.js';
import { TlsCredentials } from '../../../src/node/tls-credentials.js';
import { tlsFailure } from '../../../src/node/tls-failure.js';
import { happens } from '../../support/until.js';

const cookie = new Cookie('xyzzy');
const CALLER = 'caller@localhost';
const CALLED = 'called@localhost';

let authority: Authority;
let stranger: Authority;
const nodes: HiddenNode[] = [];
before(() => {
  authority = new Authority();
  stranger = new Authority();
});
after(() => {
  authority.remove();
  stranger.remove();
});
afterEach(async () => {
  await Promise.all(nodes.splice(0).map((node) => node.stop()));
});

const credentials = (issued: Issued = {}): TlsCredentials => new TlsCredentials(authority.issue(issued));

async function start(name: string, options: Partial<NodeOptions> = {}): Promise<HiddenNode> {
  const node = await HiddenNode.start({ name, cookie, epmd: false, connectTimeoutMs: 2_000, ...options });
  nodes.push(node);
  return node;
}

async function pair(theirs?: TlsCredentials, ours?: TlsCredentials, host = 'localhost') {
  const called = await start(`called@${host}`, theirs === undefined ? {} : { tls: theirs });
  const caller = await start(CALLER, ours === undefined ? {} : { tls: ours });
  const refused = happens(called, 'refused') as Promise<[MegaphoneError, string]>;
  const connected = caller.connect(`called@${host}`, { host: '127.0.0.1', port: called.port });
  return { called, caller, refused: refused.then(([error]) => error), connected };
}

describe('two nodes of ours', { timeout: 60_000 }, () => {
  for (const host of ['localhost', '127.0.0.1', 'node.example.org', '::1']) {
    test(`meet over TLS, where one is on ${host}`, async () => {
      const { called, caller, connected } = await pair(credentials({ host }), credentials(), host);
      await connected;
      assert.equal(await caller.ping(called.name), true);
      assert.equal(await called.ping(CALLER), true);
    });
  }

  const foreign = (): TlsCredentials => new TlsCredentials({ ...stranger.issue(), ca: authority.ca });
  test('listen on one address alone, with TLS as without', async () => {
    const called = await start(CALLED, { tls: credentials(), listen: { host: '127.0.0.1' } });
    const caller = await start(CALLER, { tls: credentials() });
    const { port } = called;
    await assert.rejects(caller.connect(CALLED, { host: '127.0.0.2', port }), { code: 'NODE_UNREACHABLE' });
    await caller.connect(CALLED, { host: '127.0.0.1', port });
  });

  // A node of ours that does not believe the other one only closes; Erlang says why.
  const refusals: readonly [
    string,
    theirs: () => TlsCredentials | undefined,
    ours: () => TlsCredentials | undefined,
    dialled: string,
    accepted: string,
  ][] = [
    [
      'the called one has a foreign root',
      foreign,
      credentials,
      'HANDSHAKE_TLS_CERTIFICATE',
      'HANDSHAKE_CLOSED',
    ],
    [
      'the caller has a foreign root',
      credentials,
      foreign,
      'HANDSHAKE_TLS_REFUSED',
      'HANDSHAKE_TLS_CERTIFICATE',
    ],
    [
      'the called one is elsewhere',
      () => credentials({ host: 'elsewhere' }),
      credentials,
      'HANDSHAKE_TLS_CERTIFICATE',
      'HANDSHAKE_CLOSED',
    ],
    [
      'the caller is elsewhere',
      credentials,
      () => credentials({ host: 'elsewhere' }),
      'HANDSHAKE_NOT_ALLOWED',
      'HANDSHAKE_TLS_CERTIFICATE',
    ],
    [
      'the called one is out of date',
      () => credentials({ isOver: true }),
      credentials,
      'HANDSHAKE_TLS_CERTIFICATE',
      'HANDSHAKE_CLOSED',
    ],
    [
      'the called one may only be a client',
      () => credentials({ usage: 'clientAuth' }),
      credentials,
      'HANDSHAKE_TLS_CERTIFICATE',
      'HANDSHAKE_CLOSED',
    ],
    [
      'the called one has no TLS',
      () => undefined,
      credentials,
      'HANDSHAKE_TLS_MISMATCH',
      'HANDSHAKE_TLS_MISMATCH',
    ],
    ['the caller has no TLS', credentials, () => undefined, 'HANDSHAKE_CLOSED', 'HANDSHAKE_TLS_MISMATCH'],
  ];
  for (const [what, theirs, ours, dialled, accepted] of refusals) {
    test(`do not meet where ${what}`, async () => {
      const { connected, refused } = await pair(theirs(), ours());
      const code = await connected.then(
        () => 'connected',
        (error: MegaphoneError) => error.code,
      );
      assert.deepEqual([code, (await refused).code], [dialled, accepted]);
    });
  }
});

describe('the files', () => {
  const load = (change: (files: NodeFiles) => void): TlsCredentials => {
    const files = authority.issue();
    const own = { ...files, ca: `${files.cert}.ca` };
    copyFileSync(files.ca, own.ca);
    change(own);
    return new TlsCredentials(own);
  };

  test('must be there, be PEM, and belong together', () => {
    const code = 'NODE_CERTIFICATE';
    assert.throws(() => new TlsCredentials({ ...authority.issue(), key: '/nowhere' }), {
      code,
      message: /ENOENT/,
    });
    assert.throws(() => load(({ key }) => copyFileSync(authority.issue().key, key)), {
      code,
      message: /together/,
    });
    for (const file of ['cert', 'key', 'ca'] as const) {
      assert.throws(() => load((files) => writeFileSync(files[file], '')), {
        code,
        message: /is no PEM file/,
      });
    }
    assert.throws(() => load(({ cert }) => writeFileSync(cert, '-----BEGIN CERTIFICATE-----\nx\n')), {
      code,
    });
  });

  test('of a key that others may read, of another host, and out of date are warned of', () => {
    const codes = (tls: TlsCredentials): string[] => tls.warnings(CALLED).map(({ code }) => code);
    assert.deepEqual(codes(load(() => {})), []);
    assert.deepEqual(codes(load(({ key }) => chmodSync(key, 0o644))), ['NODE_KEY_NOT_PRIVATE']);
    assert.deepEqual(codes(load(({ key }) => chmodSync(key, 0o640))), []);
    assert.deepEqual(codes(credentials({ host: 'elsewhere', isOver: true })), [
      'NODE_CERTIFICATE_UNFIT',
      'NODE_CERTIFICATE_UNFIT',
    ]);
  });
});

test('what OpenSSL calls it, and what the operator is told', () => {
  const told = (code: string): string =>
    tlsFailure(Object.assign(new Error(code), { code }), {}).code.replace('HANDSHAKE_TLS_', '');
  assert.deepEqual(
    [
      'ERR_SSL_WRONG_VERSION_NUMBER',
      'ERR_SSL_HTTP_REQUEST',
      'ERR_SSL_TLSV1_ALERT_UNKNOWN_CA',
      'ERR_SSL_SSLV3_ALERT_BAD_CERTIFICATE',
      'ERR_SSL_SSLV3_ALERT_CERTIFICATE_EXPIRED',
      'ERR_SSL_TLSV13_ALERT_CERTIFICATE_REQUIRED',
      'ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION',
      'ERR_SSL_SSLV3_ALERT_HANDSHAKE_FAILURE',
      'ERR_SSL_NO_SHARED_CIPHER',
      'CERT_HAS_EXPIRED',
      'ERR_TLS_CERT_ALTNAME_INVALID',
      'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
    ].map(told),
    [
      ...['MISMATCH', 'MISMATCH'],
      ...['REFUSED', 'REFUSED', 'REFUSED', 'REFUSED'],
      ...['FAILED', 'FAILED', 'FAILED'],
      ...['CERTIFICATE', 'CERTIFICATE', 'CERTIFICATE'],
    ],
  );
});
