/** What an operator can do on Erlang's side against a node of ours, which is fully trusted otherwise; and what we refuse. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import type { Erl } from '../../../scripts/support/erl.js';
import { Cookie } from '../../../src/node/cookie.js';
import { TlsCredentials } from '../../../src/node/tls-credentials.js';
import { isOverTls } from '../over-tls.js';
import { AMPLE_MS, Cluster, NODE, PEER } from './cluster.js';

describe('what a link may do', { timeout: 120_000 }, () => {
  let cluster: Cluster;
  let erl: Erl;
  before(async () => {
    cluster = await Cluster.start();
    erl = await cluster.erl();
  });
  after(() => cluster.stop());

  test('it is full trust: whoever is connected runs code there, and none here', async () => {
    const node = await cluster.node();
    await node.connect(PEER);
    assert.equal(await node.rpc(PEER, 'erlang', 'length', [[1, 2, 3]], AMPLE_MS), 3);
    assert.equal(await erl.text(`rpc:call('${NODE}', os, cmd, ["id"])`), '{badrpc,notsup}');
    assert.equal(
      await erl.text(`try erpc:call('${NODE}', os, cmd, ["id"]) catch error:{erpc, R} -> R end`),
      'notsup',
    );
    assert.equal(
      await erl.text(`begin P = spawn('${NODE}', os, cmd, ["id"]), R = monitor(process, P),
        receive {'DOWN', R, _, _, Why} -> Why end end`),
      'notsup',
    );
    await node.stop();
  });

  test('it is hidden: no member of a cluster, and told of no other node', async () => {
    const other = await cluster.erl({ name: 'other@localhost' });
    await erl.evaluate("pong = net_adm:ping('other@localhost')");
    const node = await cluster.node();
    await node.connect(PEER);
    assert.equal(await erl.text('{nodes(), nodes(hidden)}'), `{[other@localhost],[${NODE}]}`);
    assert.equal(await other.text('nodes(connected)'), '[peer@localhost]');
    assert.deepEqual(
      node.peers().map((peer) => peer.node),
      [PEER],
    );
    await node.stop();
    await other.kill();
  });

  test('a list of nodes keeps the others out, whatever they know', { skip: isOverTls }, async () => {
    const strict = await cluster.erl({ name: 'strict@localhost' });
    await strict.evaluate(`net_kernel:allow(['${NODE}'])`);
    const named = await cluster.node();
    const unnamed = await cluster.node({ name: 'unnamed@localhost' });
    await named.connect('strict@localhost');
    await assert.rejects(unnamed.connect('strict@localhost'), { code: 'HANDSHAKE_NOT_ALLOWED' });
    await Promise.all([named.stop(), unnamed.stop(), strict.kill()]);
  });

  test('over TLS a list counts by hosts, and those are held to the certificates', {
    skip: !isOverTls,
  }, async () => {
    const { authority } = cluster;
    assert.ok(authority);
    const elsewhere = { tls: new TlsCredentials(authority.issue({ host: 'elsewhere' })) };
    const lax = await cluster.erl({ name: 'lax@localhost' });
    const strict = await cluster.erl({ name: 'strict@localhost' });
    await strict.evaluate(`net_kernel:allow(['${NODE}'])`);
    const node = await cluster.node(elsewhere);
    await node.connect('lax@localhost');
    await assert.rejects(node.connect('strict@localhost'), { code: 'HANDSHAKE_TLS_REFUSED' });
    const unnamed = await cluster.node({ name: 'unnamed@localhost' });
    await unnamed.connect('strict@localhost');
    await Promise.all([node.stop(), unnamed.stop(), lax.kill(), strict.kill()]);
  });

  test('a cookie for us alone opens no other door, and the others open none for us', async () => {
    const own = new Cookie('for-gateways-alone');
    await erl.evaluate(`erlang:set_cookie('${NODE}', 'for-gateways-alone')`);
    const node = await cluster.node({ cookie: own });
    await node.connect(PEER);
    assert.equal(await node.ping(PEER), true);
    const other = await cluster.erl({ name: 'other@localhost' });
    await assert.rejects(node.connect('other@localhost'), { code: 'HANDSHAKE_WRONG_COOKIE' });
    const stranger = await cluster.node({ name: 'stranger@localhost', cookie: own });
    await assert.rejects(stranger.connect(PEER), { code: 'HANDSHAKE_WRONG_COOKIE' });
    await node.stop();
    const impostor = await cluster.node();
    await assert.rejects(impostor.connect(PEER), { code: 'HANDSHAKE_WRONG_COOKIE' });
    await Promise.all([stranger.stop(), impostor.stop(), other.kill()]);
    await erl.evaluate(`erlang:set_cookie('${NODE}', erlang:get_cookie())`);
  });
});
