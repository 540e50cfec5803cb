/** Real peers that are killed, freeze, drop the connection, or come late: what is noticed, and how they are found again. */
import assert from 'node:assert/strict';
import { afterEach, beforeEach, describe, test } from 'node:test';
import { freePort } from '../../../scripts/support/epmd.js';
import { encodeVersioned } from '../../../src/etf/encode.js';
import { atom } from '../../../src/etf/terms.js';
import { lookup, names } from '../../../src/node/epmd-client.js';
import { HiddenNode } from '../../../src/node/hidden-node.js';
import { happens, until } from '../../support/until.js';
import { AMPLE_MS, Cluster, NODE, nextError, PEER } from './cluster.js';

describe('losses', { timeout: 120_000 }, () => {
  let cluster: Cluster;
  beforeEach(async () => {
    cluster = await Cluster.start();
  });
  afterEach(() => cluster.stop());

  test('a peer that is killed is down, unreachable, and up again when it is restarted', async () => {
    const erl = await cluster.erl();
    const node = await cluster.node();
    const up = happens(node, 'up');
    node.keepConnected(PEER);
    await up;
    const down = nextError(node, 'down');
    const monitor = new Promise((resolve) => node.monitor(PEER, 'kernel_sup', resolve));
    await erl.evaluate('register(deaf, spawn(fun() -> receive stop -> ok end end))');
    const call = assert.rejects(node.call(PEER, 'deaf', atom('x'), AMPLE_MS), { code: 'NODE_NOCONNECTION' });
    // Answered behind the call: the peer has it by then.
    await node.ping(PEER);
    await erl.kill();
    assert.equal((await down).code, 'LINK_CLOSED');
    assert.deepEqual(await monitor, atom('noconnection'));
    await call;
    assert.equal((await nextError(node, 'unreachable')).code, 'EPMD_NOT_REGISTERED');
    assert.deepEqual(
      node.peers().map((peer) => [peer.node, peer.up, peer.error?.code]),
      [[PEER, false, 'EPMD_NOT_REGISTERED']],
    );
    const again = happens(node, 'up');
    await erl.restart();
    assert.deepEqual(await again, [PEER]);
    assert.equal(await node.ping(PEER), true);
  });

  test('a peer that comes later than we do is found', async () => {
    const node = await cluster.node();
    node.keepConnected(PEER);
    assert.equal((await nextError(node, 'unreachable')).code, 'EPMD_NOT_REGISTERED');
    const up = happens(node, 'up');
    const erl = await cluster.erl();
    await up;
    assert.equal(await erl.text('nodes(hidden)'), '[megaphone@localhost]');
  });

  test('a peer that drops us is connected again', async () => {
    const erl = await cluster.erl();
    const node = await cluster.node();
    node.keepConnected(PEER);
    await happens(node, 'up');
    const down = nextError(node, 'down');
    const again = happens(node, 'up');
    await erl.evaluate(`erlang:disconnect_node('${NODE}')`);
    await down;
    await again;
  });

  test('an idle connection outlives its tick time: ticks alone keep it up, on both sides', async () => {
    const erl = await cluster.erl({ args: ['-kernel', 'net_ticktime', '2'] });
    const node = await cluster.node({ tickTime: 2 });
    await node.connect(PEER);
    const traffic = () => {
      const [peer] = node.peers();
      assert.ok(peer?.up, 'the connection is up');
      return peer;
    };
    const { bytesIn, framesIn, framesOut } = traffic();
    // Ten ticks of four bytes, of which four make a tick time.
    await until(() => traffic().bytesIn >= bytesIn + 10 * 4);
    assert.deepEqual([traffic().framesIn, traffic().framesOut], [framesIn, framesOut]);
    assert.equal(await erl.text('nodes(hidden)'), '[megaphone@localhost]');
    assert.equal(await node.ping(PEER), true);
  });

  test('a frozen peer is dropped, and connected again when it goes on', async () => {
    const erl = await cluster.erl({ args: ['-kernel', 'net_ticktime', '2'] });
    const node = await cluster.node({ tickTime: 2, connectTimeoutMs: 300 });
    node.keepConnected(PEER);
    await happens(node, 'up');
    const down = nextError(node, 'down');
    const monitor = new Promise((resolve) => node.monitor(PEER, 'kernel_sup', resolve));
    erl.freeze();
    const { code, node: who } = await down;
    assert.deepEqual([code, who], ['LINK_SILENT', PEER]);
    assert.deepEqual(await monitor, atom('noconnection'));
    const unreachable = await nextError(node, 'unreachable');
    assert.equal(unreachable.code, 'HANDSHAKE_TIMEOUT');
    const up = happens(node, 'up');
    erl.thaw();
    await up;
    assert.equal(await erl.text('nodes(hidden)'), '[megaphone@localhost]');
  });

  test('what waits for a peer that does not read is bounded', async () => {
    const erl = await cluster.erl();
    const node = await cluster.node({ maxQueuedBytes: 1024 * 1024 });
    await node.connect(PEER);
    await erl.evaluate(
      "register(counter, spawn(fun() -> (fun Count(N) -> receive B when is_binary(B) -> Count(N + 1); {'$gen_call', F, _} -> gen_server:reply(F, N) end end)(0) end))",
    );
    erl.freeze();
    const message = encodeVersioned(Buffer.alloc(64 * 1024));
    let accepted = 0;
    while (node.sendToName(PEER, 'counter', message)) {
      accepted += 1;
      // Lets the socket take what the peer's kernel still takes.
      if (accepted % 8 === 0) await new Promise((resolve) => setImmediate(resolve));
    }
    const queued = node.peers()[0]?.queuedBytes ?? 0;
    assert.ok(queued > 1024 * 1024 && queued < 1024 * 1024 + 2 * message.length);
    assert.equal(node.sendToName(PEER, 'counter', message), false);
    await assert.rejects(node.call(PEER, 'counter', atom('count'), AMPLE_MS), { code: 'NODE_BUSY' });
    erl.thaw();
    while (!node.sendToName(PEER, 'counter', message)) await new Promise((resolve) => setImmediate(resolve));
    // What was accepted arrives, what was refused does not.
    assert.equal(await node.call(PEER, 'counter', atom('count'), AMPLE_MS), accepted + 1);
  });
});

describe('EPMD', { timeout: 120_000 }, () => {
  let cluster: Cluster;
  beforeEach(async () => {
    cluster = await Cluster.start();
  });
  afterEach(() => cluster.stop());
  const listed = async (): Promise<string[]> =>
    (await names('127.0.0.1', cluster.epmd.port)).map(({ alive }) => alive);

  test('a node is listed and found while it lives', async () => {
    assert.deepEqual(await listed(), []);
    const node = await cluster.node();
    assert.deepEqual(await listed(), ['megaphone']);
    assert.deepEqual(await lookup(NODE, cluster.epmd.port), { host: 'localhost', port: node.port });
    await node.stop();
    assert.deepEqual(await listed(), []);
  });

  test('a lost registration is renewed under the old creation, and connections stay', async () => {
    const erl = await cluster.erl();
    const node = await cluster.node();
    await node.connect(PEER);
    const { creation } = node;
    const lost = nextError(node, 'epmdLost');
    const renewed = happens(node, 'epmdRenewed');
    await cluster.epmd.restart();
    assert.equal((await lost).code, 'EPMD_UNREACHABLE');
    await renewed;
    assert.ok((await listed()).includes('megaphone'));
    assert.equal(node.creation, creation);
    await erl.evaluate(`erlang:disconnect_node('${NODE}')`);
    assert.equal(await erl.text(`net_adm:ping('${NODE}')`), 'pong');
  });

  test('a name that is taken', async () => {
    await cluster.erl();
    await assert.rejects(cluster.node({ name: PEER }), { code: 'EPMD_NAME_TAKEN', node: PEER });
  });

  test('no EPMD', async () => {
    const port = await freePort();
    await assert.rejects(cluster.node({ epmd: { port } }), {
      code: 'EPMD_UNREACHABLE',
      message: /ECONNREFUSED/,
      hint: /epmd -daemon/,
    });
    await assert.rejects(lookup(PEER, port), { code: 'EPMD_UNREACHABLE', node: PEER });
    await assert.rejects(names('127.0.0.1', port), { code: 'EPMD_UNREACHABLE' });
  });

  test('a listening port that is taken', async () => {
    const node = await cluster.node();
    await assert.rejects(cluster.node({ name: 'other@localhost', listen: { port: node.port } }), {
      code: 'NODE_LISTEN',
    });
  });

  test('a name that is none', async () => {
    await assert.rejects(HiddenNode.start({ name: 'megaphone', cookie: cluster.cookie }), {
      code: 'NODE_BAD_NAME',
    });
  });
});
