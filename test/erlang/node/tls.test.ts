/**
 * TLS distribution with real nodes of Erlang (`-proto_dist inet_tls`), both versions of TLS, both directions; and each
 * reason why two nodes do not come together, told as what it is.
 */
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, afterEach, before, beforeEach, describe, test } from 'node:test';
import { Authority } from '../../../scripts/support/authority.js';
import { freePort } from '../../../scripts/support/epmd.js';
import type { Erl } from '../../../scripts/support/erl.js';
import type { MegaphoneError } from '../../../src/errors.js';
import { encodeVersioned } from '../../../src/etf/encode.js';
import { type Term, type Tuple, tuple } from '../../../src/etf/terms.js';
import { Cookie } from '../../../src/node/cookie.js';
import { lookup } from '../../../src/node/epmd-client.js';
import type { HiddenNode } from '../../../src/node/hidden-node.js';
import { TlsCredentials } from '../../../src/node/tls-credentials.js';
import { AMPLE_MS, Cluster, NODE, nextError, PEER } from './cluster.js';
import { TlsRelay } from './tls-relay.js';

const VERSIONS = ['tlsv1.2', 'tlsv1.3'] as const;
const COUNT = 100_000;

/** Sends `{Number, Binary}` COUNT times to `collector` here; the sizes are all that a record can make difficult. */
const SOURCE = `
  spawn(fun() ->
    [{collector, '${NODE}'} ! {N, binary:copy(<<N:32>>, N rem 50)} || N <- lists:seq(1, ${COUNT})]
  end)`;

/** Takes as many, and tells the digest of all. */
const SINK = `
  register(sink, spawn(fun() ->
    Take = fun Take(0, Hash) -> crypto:hash_final(Hash);
               Take(Left, Hash) -> receive {N, B} -> Take(Left - 1, crypto:hash_update(Hash, [<<N:32>>, B])) end end,
    Digest = Take(${COUNT}, crypto:hash_init(sha)),
    receive {tell, From} -> From ! {digest, Digest} end
  end))`;

const bodyOf = (number: number): Buffer => {
  const four = Buffer.alloc(4);
  four.writeUInt32BE(number);
  return Buffer.concat(Array(number % 50).fill(four));
};

function digestOfAll(): string {
  const hash = createHash('sha1');
  const four = Buffer.alloc(4);
  for (let number = 1; number <= COUNT; number += 1) {
    four.writeUInt32BE(number);
    hash.update(four).update(bodyOf(number));
  }
  return hash.digest('hex');
}

/** Resolves with the digest of COUNT messages, in the order in which they came. */
function collect(node: HiddenNode): Promise<string> {
  const hash = createHash('sha1');
  const four = Buffer.alloc(4);
  let left = COUNT;
  return new Promise((resolve) => {
    node.register('collector', {
      deliver: (message: Term) => {
        const [number, body] = (message as Tuple).elements as [number, Uint8Array];
        four.writeUInt32BE(number);
        hash.update(four).update(body);
        left -= 1;
        if (left === 0) resolve(hash.digest('hex'));
      },
    });
  });
}

/** Sends what SINK takes, as fast as the connection lets us. */
async function pour(node: HiddenNode): Promise<void> {
  for (let number = 1; number <= COUNT && node.peers()[0]?.up; ) {
    const end = Math.min(COUNT, number + 500);
    while (number <= end && node.sendToName(PEER, 'sink', encodeVersioned(tuple(number, bodyOf(number)))))
      number += 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** All of both directions at once arrives, and in order. */
async function everythingArrives(node: HiddenNode, erl: Erl): Promise<void> {
  const expected = digestOfAll();
  const collected = collect(node);
  await erl.evaluate(SINK);
  await erl.evaluate(SOURCE);
  await pour(node);
  assert.equal(await collected, expected);
  assert.equal(await told(erl), expected);
}

/** The digest of all that SINK was sent. */
async function told(erl: Erl): Promise<string> {
  const digest = await erl.evaluate(`sink ! {tell, self()}, receive {digest, D} -> D end`);
  return Buffer.from(digest as Uint8Array).toString('hex');
}

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
      cluster = await Cluster.start();
    });
    afterEach(() => cluster.stop());

    const peer = (extra = '', args: string[] = []): Promise<Erl> => {
      const options = [extra, versions].filter((text) => text !== '').join(',');
      const tls = authority.erlArgs(authority.issue(), { server: options, client: options });
      return cluster.erl({ args: [...tls, ...args] });
    };
    const ours = (): { tls: TlsCredentials } => ({ tls: new TlsCredentials(authority.issue()) });

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
          theirs: () => args(authority.issue({ days: -1 })),
          ours: tls,
          codes: [untrusted, untrusted],
          message: [/CERT_HAS_EXPIRED/, /CERT_HAS_EXPIRED/],
        },
        {
          what: 'with one that is out of date here',
          theirs: args,
          ours: () => tls(authority.issue({ days: -1 })),
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
          const erl = await cluster.erl({ args: theirs() });
          const credentials = ours();
          const node = await cluster.node({
            connectTimeoutMs: 2_000,
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
        const { writeFileSync, readFileSync } = await import('node:fs');
        const path = file.at(-1) ?? '';
        writeFileSync(
          path,
          readFileSync(path, 'utf8').replace(/\{client,\[.*\]\}\]\./s, `{client,[${bare}]}].`),
        );
        const erl = await cluster.erl({ args: file });
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
      const node = await cluster.node({ tls });
      await node.connect(PEER);
      const shown = (): Promise<string> =>
        erl.text(`begin erlang:disconnect_node('${NODE}'), net_adm:ping('${NODE}') end`);
      assert.equal(await shown(), 'pong');
      const { copyFileSync, writeFileSync } = await import('node:fs');
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

describe('TLS 1.2, renegotiated by Erlang', { timeout: 240_000 }, () => {
  let cluster: Cluster;
  let relay: TlsRelay | undefined;
  beforeEach(async () => {
    cluster = await Cluster.start();
  });
  afterEach(async () => {
    relay?.stop();
    await cluster.stop();
  });
  /** After so many records Erlang starts it; by itself after 2^28. */
  const often = (records: number): string => `{renegotiate_at,${records}},{versions,['tlsv1.2']}`;
  const peer = (records: number, args: string[] = []): Promise<Erl> => {
    const tls = authority.erlArgs(authority.issue(), { server: often(records), client: often(records) });
    return cluster.erl({ args: [...tls, ...args] });
  };

  test('again and again, as we are the client: nothing is lost', async () => {
    const erl = await peer(500);
    const node = await cluster.node({ tls: new TlsCredentials(authority.issue()) });
    relay = await TlsRelay.start(await lookup(PEER, cluster.epmd.port));
    await node.connect(PEER, { host: '127.0.0.1', port: relay.port });
    await everythingArrives(node, erl);
    assert.ok(relay.renegotiated > 10, `${relay.renegotiated} records`);
  });

  let brokenOff = (_: MegaphoneError): void => {};
  /** Erlang is the client, which sends us a record for each answer, while we send it all that SINK takes. */
  async function answered(records: number, questions: number): Promise<void> {
    const port = await freePort();
    const node = await cluster.node({ tls: new TlsCredentials(authority.issue()), listen: { port } });
    node.on('down', (_, error) => brokenOff(error));
    relay = await TlsRelay.start({ host: '127.0.0.1', port });
    const erl = await peer(records, ['-erl_epmd_port', `${relay.port}`, '-dist_listen', 'false']);
    await erl.evaluate(`true = net_kernel:connect_node('${NODE}')`);
    await erl.evaluate(SINK);
    const poured = pour(node);
    for (let asked = 0; asked < questions && node.peers()[0]?.up; asked += 1) await node.ping(PEER);
    await poured;
    if (node.peers()[0]?.up) assert.equal(await told(erl), digestOfAll());
  }

  test('as often as Node.js lets a client, as we are the server: nothing is lost', async () => {
    await answered(700, 1_500);
    assert.ok(relay && relay.renegotiated > 10, `${relay?.renegotiated} records`);
  });

  test('more often than that, as we are the server, which ends the connection', async () => {
    const down = new Promise<MegaphoneError>((resolve) => {
      brokenOff = resolve;
    });
    await answered(100, 1_500);
    const { cause } = await down;
    assert.equal((cause as NodeJS.ErrnoException).code, 'ERR_TLS_SESSION_ATTACK');
  });
});
