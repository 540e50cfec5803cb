/**
 * TLS distribution with real nodes of Erlang (`-proto_dist inet_tls`), both versions of TLS, both directions; and each
 * reason why two nodes do not come together, told as what it is.
 */
import assert from 'node:assert/strict';
import { copyFileSync, readFileSync, writeFileSync } from 'node:fs';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { Authority } from '../../../scripts/support/authority.js';
import type { Erl } from '../../../scripts/support/erl.js';
import { Cookie } from '../../../src/node/cookie.js';
import { TlsCredentials } from '../../../src/node/tls-credentials.js';
import { AMPLE_MS, Cluster, NODE, nextError, PEER } from './cluster.js';
import { COUNT, everythingArrives } from './many-messages.js';

/** On the busiest of machines a handshake takes longer than the 7 s that are usual. */
const PATIENT = ['-kernel', 'net_setuptime', '30'];
const VERSIONS = ['tlsv1.2', 'tlsv1.3'] as const;
let authority: Authority;
let stranger: Authority;
before(() => {
  authority = new Authority();
  stranger = new Authority();
});
after(() => {
  authority.remove();
  stranger.remove();
});

for (const version of VERSIONS) {
  const versions = `{versions,['${version}']}`;
  describe(`TLS distribution, ${version}`, { timeout: 240_000 }, () => {
    let cluster: Cluster;
    beforeEach(async () => {
      cluster = await Cluster.start('bare');
    });
    afterEach(() => cluster.stop());

    const peer = (extra = '', args: string[] = []): Promise<Erl> => {
      const options = [extra, versions].filter((text) => text !== '').join(',');
      const tls = authority.erlArgs(authority.issue(), { server: options, client: options });
      return cluster.erl({ args: [...tls, ...args, ...PATIENT] });
    };
    const ours = (): { tls: TlsCredentials; connectTimeoutMs: number } => ({
      tls: new TlsCredentials(authority.issue()),
      connectTimeoutMs: AMPLE_MS,
    });

    test('we connect: calls, ticks and messages of any size', async () => {
      const erl = await peer('', ['-kernel', 'net_ticktime', '2']);
      const node = await cluster.node({ ...ours(), tickTime: 2 });
      await node.connect(PEER);
      assert.equal(await node.ping(PEER), true);
      assert.equal(await erl.text('nodes(hidden)'), `[${NODE}]`);
      const large = Buffer.alloc(20_000_000, 'large');
      const back = await node.rpc(PEER, 'erlang', 'list_to_binary', [[large, large]], AMPLE_MS);
      assert.deepEqual(Buffer.from(back as Uint8Array), Buffer.concat([large, large]));
      // Nothing but ticks, ten of them, of which four make a tick time.
      const traffic = () => node.peers()[0] ?? assert.fail();
      const { bytesIn, framesIn } = traffic();
      while (traffic().bytesIn < bytesIn + 10 * 4) {
        assert.ok(traffic().up);
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
      assert.deepEqual([traffic().up, traffic().framesIn], [true, framesIn]);
    });

    test('they connect, and both at once', async () => {
      const erl = await peer();
      const node = await cluster.node(ours());
      assert.equal(await erl.text(`{net_adm:ping('${NODE}'), nodes(hidden)}`), `{pong,[${NODE}]}`);
      for (let round = 0; round < 5; round += 1) {
        const down = nextError(node, 'down');
        await erl.evaluate(`erlang:disconnect_node('${NODE}')`);
        await down;
        await Promise.all([erl.text(`net_kernel:connect_node('${NODE}')`), node.connect(PEER)]);
        assert.equal(await node.ping(PEER), true);
        assert.equal(node.peers().length, 1);
      }
    });

    test(`${COUNT} messages each way at once, as we are the client`, async () => {
      const erl = await peer();
      const node = await cluster.node(ours());
      await node.connect(PEER);
      await everythingArrives(node, erl);
    });

    test(`${COUNT} messages each way at once, as we are the server`, async () => {
      const erl = await peer();
      const node = await cluster.node(ours());
      await erl.evaluate(`true = net_kernel:connect_node('${NODE}')`);
      await everythingArrives(node, erl);
    });

    test('a node whose peers it does not verify is verified all the same', async () => {
      const lax = '{verify,verify_none},{fail_if_no_peer_cert,false}';
      const erl = await peer(lax);
      const node = await cluster.node(ours());
      await node.connect(PEER);
      assert.equal(await node.ping(PEER), true);
      await erl.evaluate(`erlang:disconnect_node('${NODE}')`);
      assert.equal(await erl.text(`net_adm:ping('${NODE}')`), 'pong');
    });

    describe('does not come about', () => {
      interface Refusal {
        readonly what: string;
        readonly theirs: () => string[];
        readonly ours: () => TlsCredentials | undefined;
        /** Dialled by us, and by them. */
        readonly codes: readonly [string, string];
        readonly message: readonly [RegExp, RegExp];
      }
      const good = () => authority.issue();
      const args = (files = good()) => authority.erlArgs(files, { server: versions, client: versions });
      const tls = (files = good()) => new TlsCredentials(files);
      const untrusted = 'HANDSHAKE_TLS_CERTIFICATE';
      const refused = 'HANDSHAKE_TLS_REFUSED';
      const mismatch = 'HANDSHAKE_TLS_MISMATCH';
      const table: readonly Refusal[] = [
        {
          what: 'with one of another root there',
          theirs: () => args({ ...stranger.issue(), ca: authority.ca }),
          ours: tls,
          codes: [untrusted, untrusted],
          message: [/UNABLE_TO|SELF_SIGNED/, /UNABLE_TO|SELF_SIGNED/],
        },
        {
          what: 'with one of another root here',
          theirs: args,
          ours: () => tls({ ...stranger.issue(), ca: authority.ca }),
          codes: [refused, refused],
          message: [/unknown_ca|without a word/, /unknown_ca/],
        },
        {
          what: 'with one of another host there',
          theirs: () => args(authority.issue({ host: 'elsewhere' })),
          ours: tls,
          codes: [untrusted, untrusted],
          message: [/localhost.*elsewhere/, /localhost.*elsewhere/],
        },
        {
          what: 'with one that is out of date there',
          theirs: () => args(authority.issue({ isOver: true })),
          ours: tls,
          codes: [untrusted, untrusted],
          message: [/CERT_HAS_EXPIRED/, /CERT_HAS_EXPIRED/],
        },
        {
          what: 'with one that is out of date here',
          theirs: args,
          ours: () => tls(authority.issue({ isOver: true })),
          codes: [refused, refused],
          message: [/certificate_expired|without a word/, /certificate_expired/],
        },
        {
          what: 'with one for servers alone there',
          theirs: () => args(authority.issue({ usage: 'serverAuth' })),
          ours: tls,
          codes: ['', untrusted],
          message: [/^$/, /INVALID_PURPOSE/],
        },
        {
          what: 'without TLS there',
          theirs: () => [],
          ours: tls,
          codes: [mismatch, mismatch],
          message: [/^peer@localhost does not speak TLS/, /does not speak TLS/],
        },
        {
          what: 'without TLS here',
          theirs: args,
          ours: () => undefined,
          codes: [mismatch, mismatch],
          message: [/^peer@localhost speaks TLS/, /speaks TLS, and this node does not/],
        },
      ];
      for (const { what, theirs, ours, codes, message } of table) {
        test(what, async () => {
          const erl = await cluster.erl({ args: [...theirs(), ...PATIENT] });
          const credentials = ours();
          const node = await cluster.node({
            // One without TLS waits for as long as we do.
            connectTimeoutMs: credentials !== undefined && codes[0] === mismatch ? 2_000 : AMPLE_MS,
            ...(credentials === undefined ? {} : { tls: credentials }),
          });
          const dialled = await node.connect(PEER).then(
            () => ({ code: '', message: '' }),
            (error) => error,
          );
          assert.deepEqual(
            [dialled.code, dialled.message.match(message[0])?.length],
            [codes[0], 1],
            dialled.message,
          );
          await erl.evaluate(`erlang:disconnect_node('${NODE}')`);
          const refusal = nextError(node, 'refused');
          assert.equal(await erl.text(`net_adm:ping('${NODE}')`), 'pang');
          const accepted = await refusal;
          assert.equal(accepted.code, codes[1], accepted.message);
          assert.match(accepted.message, message[1]);
        });
      }

      test('with a wrong cookie, which is told as that', async () => {
        const erl = await peer();
        const node = await cluster.node({ ...ours(), cookie: new Cookie('wrong-horse') });
        await assert.rejects(node.connect(PEER), { code: 'HANDSHAKE_WRONG_COOKIE' });
        const refusal = nextError(node, 'refused');
        assert.equal(await erl.text(`net_adm:ping('${NODE}')`), 'pang');
        assert.equal((await refusal).code, 'HANDSHAKE_WRONG_COOKIE');
      });

      test('with a client that shows no certificate', async () => {
        // Its options name roots, and neither certificate nor key.
        const files = authority.issue();
        const bare = `{cacertfile,"${files.ca}"},{verify,verify_peer},${versions}`;
        const file = authority.erlArgs(files, { server: versions });
        const path = file.at(-1) ?? '';
        writeFileSync(
          path,
          readFileSync(path, 'utf8').replace(/\{client,\[.*\]\}\]\./s, `{client,[${bare}]}].`),
        );
        const erl = await cluster.erl({ args: [...file, ...PATIENT] });
        const node = await cluster.node(ours());
        const refusal = nextError(node, 'refused');
        assert.equal(await erl.text(`net_adm:ping('${NODE}')`), 'pang');
        const { code, message } = await refusal;
        assert.deepEqual([code, /it shows none/.test(message)], [untrusted, true], message);
      });
    });

    test('new connections get what was read again; what cannot be used leaves what was there', async () => {
      const erl = await peer();
      const files = { ...authority.issue() };
      const tls = new TlsCredentials(files);
      const node = await cluster.node({ tls, connectTimeoutMs: AMPLE_MS });
      await node.connect(PEER);
      const shown = (): Promise<string> =>
        erl.text(`begin erlang:disconnect_node('${NODE}'), net_adm:ping('${NODE}') end`);
      assert.equal(await shown(), 'pong');
      writeFileSync(files.cert, 'no certificate');
      assert.throws(() => tls.reload(), { code: 'NODE_CERTIFICATE' });
      assert.equal(await shown(), 'pong');
      // Another root's, which the peer refuses: the proof that it is what is shown now.
      const other = stranger.issue();
      copyFileSync(other.cert, files.cert);
      copyFileSync(other.key, files.key);
      tls.reload();
      assert.equal(await node.ping(PEER), true);
      assert.equal(await shown(), 'pang');
      await assert.rejects(node.connect(PEER), { code: 'HANDSHAKE_TLS_REFUSED' });
    });
  });
}
