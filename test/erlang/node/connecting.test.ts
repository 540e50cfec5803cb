/** How the hidden node and real ones meet, and the reasons why they do not: cookie, name, list, port. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { freePort } from '../../../scripts/support/epmd.js';
import type { Erl } from '../../../scripts/support/erl.js';
import { Cookie } from '../../../src/node/cookie.js';
import { names } from '../../../src/node/epmd-client.js';
import { happens } from '../../support/until.js';
import { isOverTls } from '../over-tls.js';
import { AMPLE_MS, Cluster, NODE, nextError, PEER } from './cluster.js';

describe('connecting', { timeout: 120_000 }, () => {
  let cluster: Cluster;
  let erl: Erl;
  before(async () => {
    cluster = await Cluster.start();
    erl = await cluster.erl();
  });
  after(() => cluster.stop());

  test('a wrong cookie is named when we connect', async () => {
    const node = await cluster.node({ cookie: new Cookie('wrong-horse') });
    await assert.rejects(node.connect(PEER), { code: 'HANDSHAKE_WRONG_COOKIE', node: PEER });
    assert.equal(await node.ping(PEER), false);
    await node.stop();
  });

  test('a wrong cookie is named when the peer connects', async () => {
    const node = await cluster.node({ cookie: new Cookie('wrong-horse') });
    const refused = nextError(node, 'refused');
    assert.equal(await erl.text(`net_adm:ping('${NODE}')`), 'pang');
    const { code, node: who, message } = await refused;
    assert.deepEqual([code, who], ['HANDSHAKE_WRONG_COOKIE', PEER]);
    assert.ok(!message.includes('horse'));
    await node.stop();
  });

  test('a node that is not on the list may not connect in, but be connected to', async () => {
    const node = await cluster.node({ allow: ['ejabberd@localhost', '*@elsewhere'] });
    const refused = nextError(node, 'refused');
    assert.equal(await erl.text(`net_adm:ping('${NODE}')`), 'pang');
    assert.equal((await refused).code, 'HANDSHAKE_NOT_ALLOWED');
    assert.equal(await node.ping(PEER), true);
    await node.stop();
  });

  for (const allow of [[PEER], ['*@localhost']]) {
    test(`the list ${allow} lets the peer in`, async () => {
      const node = await cluster.node({ allow });
      assert.equal(await erl.text(`net_adm:ping('${NODE}')`), 'pong');
      await node.stop();
    });
  }

  test('a peer that does not allow us says so', async () => {
    const strict = await cluster.erl({ name: 'strict@localhost' });
    await strict.evaluate("net_kernel:allow(['friend@elsewhere'])");
    const node = await cluster.node();
    // Over TLS Erlang only closes.
    const code = isOverTls ? 'HANDSHAKE_TLS_REFUSED' : 'HANDSHAKE_NOT_ALLOWED';
    await assert.rejects(node.connect('strict@localhost'), { code });
    await node.stop();
    await strict.kill();
  });

  test('a node that EPMD does not know, and a port where nobody listens', async () => {
    const node = await cluster.node();
    await assert.rejects(node.connect('nobody@localhost'), {
      code: 'EPMD_NOT_REGISTERED',
      node: 'nobody@localhost',
    });
    await assert.rejects(node.connect(PEER, { host: '127.0.0.1', port: await freePort() }), {
      code: 'NODE_UNREACHABLE',
      message: /ECONNREFUSED/,
    });
    await node.stop();
  });

  test('another node than the expected one at a fixed port', async () => {
    const port =
      (await names('127.0.0.1', cluster.epmd.port)).find(({ alive }) => alive === 'peer')?.port ?? 0;
    const node = await cluster.node();
    await assert.rejects(node.connect('other@localhost', { host: '127.0.0.1', port }), {
      code: 'HANDSHAKE_WRONG_NODE',
      message: /peer@localhost/,
    });
    await node.stop();
  });

  test('a peer without EPMD at a fixed port, and we without EPMD too', async () => {
    const port = await freePort();
    const lonely = await cluster.erl({
      name: 'lonely@localhost',
      args: [
        '-erl_epmd_port',
        String(port),
        '-kernel',
        'inet_dist_listen_min',
        `${port}`,
        'inet_dist_listen_max',
        `${port}`,
      ],
    });
    const node = await cluster.node({ name: 'free@localhost', epmd: false });
    assert.notEqual(node.creation, 0);
    await node.connect('lonely@localhost', { host: '127.0.0.1', port });
    assert.equal(await lonely.text('nodes(hidden)'), '[free@localhost]');
    assert.ok(!(await names('127.0.0.1', cluster.epmd.port)).some(({ alive }) => alive === 'free'));
    await node.stop();
    await lonely.kill();
  });

  test('a peer finds us at our fixed port without EPMD', async () => {
    const node = await cluster.node({ name: 'fixed@localhost', epmd: false });
    const caller = await cluster.erl({
      name: 'caller@localhost',
      args: ['-erl_epmd_port', String(node.port), '-dist_listen', 'false'],
    });
    assert.equal(await caller.text("net_adm:ping('fixed@localhost')"), 'pong');
    await node.stop();
    await caller.kill();
  });

  test('long names', async () => {
    const long = await cluster.erl({ name: 'long@127.0.0.1' });
    const node = await cluster.node({ name: 'megaphone@127.0.0.1' });
    assert.equal(await node.ping('long@127.0.0.1'), true);
    assert.equal(
      await long.text("{net_adm:ping('megaphone@127.0.0.1'), nodes(hidden)}"),
      "{pong,['megaphone@127.0.0.1']}",
    );
    await node.stop();
    await long.kill();
  });

  // Over TLS Erlang does not know its own address in a certificate.
  test('IPv6, both ways', { skip: isOverTls }, async () => {
    const six = await cluster.erl({
      name: 'six@::1',
      args: ['-proto_dist', 'inet6_tcp', '-kernel', 'inet_dist_use_interface', '{0,0,0,0,0,0,0,1}'],
    });
    const node = await cluster.node({
      name: 'megaphone@::1',
      listen: { host: '::1' },
      epmd: { host: '::1', port: cluster.epmd.port },
    });
    assert.equal(await node.ping('six@::1'), true);
    assert.equal(
      await six.text("begin erlang:disconnect_node('megaphone@::1'), net_adm:ping('megaphone@::1') end"),
      'pong',
    );
    await node.stop();
    await six.kill();
  });

  test('both sides connect at once, over and over, and always end with one connection', async () => {
    // One name is greater than the peer's and one is smaller: who gives way is decided by that.
    for (const name of ['zebra@localhost', 'aardvark@localhost']) {
      const node = await cluster.node({ name });
      for (let round = 0; round < 25; round++) {
        const theirs = erl.text(`net_kernel:connect_node('${name}')`);
        await Promise.all([theirs, node.connect(PEER)]);
        assert.equal(await node.ping(PEER), true);
        assert.equal(await erl.text(`net_adm:ping('${name}')`), 'pong');
        assert.equal(node.peers().length, 1);
        const down = happens(node, 'down');
        await erl.evaluate(`erlang:disconnect_node('${name}')`);
        await down;
      }
      await node.stop();
    }
  });

  test('connecting twice makes one connection', async () => {
    const node = await cluster.node();
    await Promise.all([node.connect(PEER), node.connect(PEER)]);
    await node.connect(PEER);
    assert.deepEqual(
      node.peers().map(({ node: name, up }) => [name, up]),
      [[PEER, true]],
    );
    await node.stop();
  });

  test('a second life of us is let in by a peer that has not noticed the end of the first', async () => {
    const first = await cluster.node({ name: 'twice@localhost' });
    await first.connect(PEER);
    // Without EPMD there is no creation to tell them apart and no name to be taken: only `alive` is left.
    const second = await cluster.node({ name: 'twice@localhost', epmd: false });
    const port =
      (await names('127.0.0.1', cluster.epmd.port)).find(({ alive }) => alive === 'peer')?.port ?? 0;
    const connected = second.connect(PEER, { host: '127.0.0.1', port });
    await first.stop();
    await connected;
    assert.equal(await second.rpc(PEER, 'erlang', 'length', [[1, 2]], AMPLE_MS), 2);
    await second.stop();
  });

  test('after stop the peer sees a nodedown, EPMD has forgotten us, and nothing can be connected', async () => {
    const node = await cluster.node({ name: 'brief@localhost' });
    await node.connect(PEER);
    const seen =
      erl.text(`net_kernel:monitor_nodes(true, [{node_type, hidden}]), {ready, 'brief@localhost'} ! x,
      receive {nodedown, 'brief@localhost', _} -> down end`);
    await new Promise<void>((resolve) => node.register('ready', { deliver: () => resolve() }));
    await node.stop();
    assert.equal(await seen, 'down');
    const left = await names('127.0.0.1', cluster.epmd.port);
    assert.ok(!left.some(({ alive }) => alive === 'brief'));
    await assert.rejects(node.connect(PEER), { code: 'NODE_STOPPED' });
    assert.equal(node.sendToName(PEER, 'x', Buffer.of(131, 106)), false);
  });
});
