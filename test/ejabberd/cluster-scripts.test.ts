/** `make cluster-up`, `cluster-status` and `cluster-down`: what they promise, whatever was killed in between. */
import assert from 'node:assert/strict';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Cluster } from '../../scripts/support/cluster.js';
import { until } from '../support/until.js';
import type { ChatClient } from './support/chat-client.js';
import { strophe } from './support/strophe-client.js';

describe('a cluster to try things on', { timeout: 120_000 }, () => {
  let cluster: Cluster;
  let alice: ChatClient;
  let bob: ChatClient;

  before(async () => {
    cluster = await Cluster.start({ nodes: 2, gateways: 2 });
  });
  after(() => cluster?.stop());

  /** The nodes that each user's sessions are on, as ejabberd sees it. */
  const nodeOf = async (jid: string): Promise<string> => {
    const [user = ''] = jid.split('@');
    const info = await cluster.member('node', 1, 'ctl', 'user_sessions_info', user, 'localhost');
    return /ejabberd\d@localhost/.exec(info)?.[0] ?? '';
  };

  const talk = async (text: string): Promise<void> => {
    for (const [from, to] of [
      [alice, bob],
      [bob, alice],
    ] as const) {
      from.sendMessage(to.jid, text);
      await to.inbox.until(() => to.inbox.messages.includes(`${from.jid}: ${text}`));
    }
  };

  it('tells how to use it', async () => {
    const output = await cluster.script('status');
    assert.match(output, /ejabberd2: running as ejabberd2@localhost, process \d+\n/);
    assert.match(output, /gateway2: {2}running as megaphone2@localhost, process \d+\n/);
    assert.match(output, new RegExp(`BOSH +http://localhost:${cluster.env.CLUSTER_PORT}/bosh\n`));
    assert.match(output, /alice@localhost {2}password \S{16}\n +bob@localhost {2}password \S{16}\n/);
    assert.match(output, /^ {4}kill -9 \$\(cat \S+\/ejabberd2\/ejabberd.pid\) +one dies/m);
  });

  it('carries a conversation of users on different nodes', async () => {
    const [first, second] = await cluster.accounts();
    assert.ok(first && second);
    alice = strophe(cluster.url, first);
    await alice.login();
    alice.sendPresence();
    const theirs = await nodeOf(alice.jid);
    // New sessions are spread: it does not take long.
    for (;;) {
      bob = strophe(cluster.url, second);
      await bob.login();
      if ((await nodeOf(bob.jid)) !== theirs) break;
      await bob.logout();
    }
    bob.sendPresence();
    // Before that he is offline: what comes at the same moment at the other node may be stored behind what he is given of it.
    await bob.inbox.until(() => bob.inbox.online.has(bob.jid));
    await talk('from node to node');
  });

  it('goes on when a gateway is killed, and comes up again whole', async () => {
    await cluster.kill('gateway', 1);
    await talk('without gateway 1');
    await assert.rejects(cluster.script('status'), /gateway1: {2}stopped/);
    await cluster.script('up');
    await cluster.kill('gateway', 2);
    await talk('without gateway 2');
    await cluster.script('up');
    await cluster.script('status');
    await alice.logout();
    await bob.logout();
  });

  it('takes back a node that was killed', async () => {
    await cluster.kill('node', 2);
    await cluster.script('up');
    const nodes = await cluster.member('node', 1, 'ctl', 'list_cluster');
    assert.deepEqual(nodes.trim().split('\n').sort(), ['ejabberd1@localhost', 'ejabberd2@localhost']);
  });

  it('leaves nothing behind', async () => {
    await cluster.script('down');
    const folder = cluster.env.MEGAPHONE_VAR as string;
    await until(async () => (await processesOf(folder)).length === 0);
    const files = (await readdir(folder, { recursive: true })).filter((name) => name.endsWith('.pid'));
    assert.deepEqual(files, []);
    // And once more, with nothing to end.
    await cluster.script('down');
  });
});

/** Those that have the folder in their command line. */
async function processesOf(folder: string): Promise<string[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const commands = await Promise.all(
    pids.map((pid) => readFile(join('/proc', pid, 'cmdline'), 'utf8').catch(() => '')),
  );
  return commands.filter((command) => command.includes(folder));
}
