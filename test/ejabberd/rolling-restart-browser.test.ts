/**
 * Each gateway and each ejabberd node of a cluster is restarted in turn, while pages in a real browser chat through it, with
 * converse.js and with strophe.js, over BOSH and over WebSocket: not even the browser's own console shows an error.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { rollingRestart } from '../../scripts/rolling/rolling-restart.js';
import { Cluster } from '../../scripts/support/cluster.js';
import { BrowserChats, describeSeen } from './support/browser-chats.js';

describe('a rolling restart, in a browser', { timeout: 540_000 }, () => {
  let cluster: Cluster;
  let chats: BrowserChats;

  before(async () => {
    cluster = await Cluster.start({ nodes: 2, gateways: 2 });
    chats = await BrowserChats.start(cluster);
  });
  after(async () => {
    await chats?.close();
    await cluster?.stop();
  });

  it('is seen by nobody', async (t) => {
    chats.talk();
    const outcome = await rollingRestart({
      cluster,
      users: 10,
      rate: 10,
      seed: 1,
      say: (line) => t.diagnostic(line),
    });
    const seen = await chats.finish();
    for (const one of seen) t.diagnostic(describeSeen(one));
    assert.equal(
      outcome.lastLine,
      'errors 0 logins 0 lost 0 doubled 0 reordered 0',
      outcome.lines.join('\n'),
    );
    for (const { name, messages, resumed, errors, logins, lost, doubled, disordered, which } of seen) {
      const what = `${name}: ${which.join('\n')}`;
      assert.ok(messages > 0, what);
      assert.equal(resumed > 0, name.includes('WebSocket'), what);
      // How they took it over BOSH also depends on how fast the machine is, and is no fault of what they were sent.
      const zeros = { errors, logins, lost, doubled, disordered };
      assert.deepEqual(zeros, { errors: [], logins: 0, lost: 0, doubled: 0, disordered: 0 }, what);
    }
  });
});
