/**
 * Each gateway and each ejabberd node of a cluster is restarted in turn. No client sees an error or logs in again, and nothing
 * is lost, doubled or out of order: neither of the steady clients of scripts/chaos, nor with strophe.js.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { rollingRestart } from '../../scripts/rolling/rolling-restart.js';
import { Cluster } from '../../scripts/support/cluster.js';
import type { ChatClient } from './support/chat-client.js';
import { converse } from './support/conversation.js';
import { strophe } from './support/strophe-client.js';

const PASSWORD = 'secret';

interface Pair {
  readonly name: string;
  readonly alice: ChatClient;
  readonly bob: ChatClient;
}

describe('a rolling restart', { timeout: 180_000 }, () => {
  let cluster: Cluster;
  let pairs: readonly Pair[];

  before(async () => {
    cluster = await Cluster.start({ nodes: 2, gateways: 2 });
    pairs = [
      await pair('strophe.js over BOSH', cluster.url),
      await pair('strophe.js over WebSocket', cluster.webSocketUrl),
    ];
  });
  after(async () => {
    for (const client of pairs?.flatMap(({ alice, bob }) => [alice, bob]) ?? []) {
      await Promise.race([client.logout(), sleep(5_000)]);
    }
    await cluster?.stop();
  });

  async function pair(name: string, url: string): Promise<Pair> {
    const [alice, bob] = await Promise.all(
      ['alice', 'bob'].map(async (who) => {
        const user = `${who}-${new URL(url).protocol.slice(0, -1)}`;
        await cluster.member('node', 1, 'ctl', 'register', user, 'localhost', PASSWORD);
        const client = strophe(url, { jid: `${user}@localhost`, password: PASSWORD });
        await client.login();
        client.sendPresence();
        // Its own: from now on nothing for it goes to offline storage, which loses what comes while a login empties it.
        await client.inbox.until(() => client.inbox.online.has(client.jid));
        return client;
      }),
    );
    assert.ok(alice && bob);
    return { name, alice, bob };
  }

  it('is seen by nobody', async (t) => {
    // And the other node knows, too.
    await sleep(1_000);
    const sids = pairs.map(({ alice, bob }) => [alice.sid, bob.sid]);
    let over = false;
    const restart = rollingRestart({
      cluster,
      users: 40,
      rate: 40,
      seed: 1,
      say: (line) => t.diagnostic(line),
    }).finally(() => {
      over = true;
    });
    const chats = pairs.map(async ({ name, alice, bob }) => {
      // Over BOSH strophe.js takes two answers as they come, which on a busy machine need not be as they left.
      const exactly = { exact: name.includes('WebSocket') };
      while (!over) {
        await Promise.all([converse(alice, bob, 20, exactly), converse(bob, alice, 20, exactly)]);
        await sleep(100);
      }
    });
    const [outcome] = await Promise.all([restart, ...chats]);
    assert.equal(
      outcome.lastLine,
      'errors 0 logins 0 lost 0 doubled 0 reordered 0',
      outcome.lines.join('\n'),
    );
    assert.deepEqual(
      pairs.map(({ alice, bob }) => [alice.sid, bob.sid]),
      sids,
      'the same sessions',
    );
  });
});
