/**
 * The admin port of real gateways, with one process and with workers, on a real ejabberd: what the feed tells while people chat, sessions
 * listed, searched and closed, the gateway drained and resumed.
 */
import assert from 'node:assert/strict';
import { chmodSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { Instance } from '../../scripts/support/instance.js';
import { freePorts } from '../../scripts/support/ports.js';
import type { SessionPage, SessionRow } from '../../src/gateway/module-sessions.js';
import { eventually, until } from '../support/until.js';
import type { ChatClient } from './support/chat-client.js';
import { logIn } from './support/scenario.js';
import { strophe } from './support/strophe-client.js';

const TOKEN = 'a-token-that-only-this-test-has';

for (const workers of [1, 2]) {
  describe(`a gateway of ${workers} process(es)`, { timeout: 300_000 }, () => {
    let instance: Instance;
    let admin: string;
    let alice: ChatClient;
    let bob: ChatClient;

    before(async () => {
      const [port = 0] = await freePorts(1);
      admin = `http://127.0.0.1:${port}`;
      instance = await Instance.start({ gateway: false });
      const file = join(instance.var, 'admin-token');
      writeFileSync(file, `${TOKEN}\n`);
      chmodSync(file, 0o400);
      Object.assign(instance.env, {
        MEGAPHONE_WORKERS: `${workers}`,
        MEGAPHONE_ADMIN_PORT: `${port}`,
        MEGAPHONE_ADMIN_TOKEN_FILE: file,
        MEGAPHONE_DRAIN_DELAY: '0',
        MEGAPHONE_DRAIN_TIME: '0',
      });
      await instance.startGateway();
      await until(async () => (await fetch(`${admin}/health/ready`)).ok);
      [alice, bob] = [
        strophe(instance.gatewayUrl, instance.alice),
        strophe(instance.gatewayUrl, instance.bob),
      ];
      await logIn({ alice, bob });
    });
    after(() => instance?.stop());

    async function ask(path: string, method = 'GET', body?: unknown): Promise<Response> {
      return fetch(`${admin}/api/${path}`, {
        method,
        headers: { authorization: `Bearer ${TOKEN}` },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    }

    async function sessions(query = ''): Promise<SessionPage> {
      const response = await ask(`sessions?${query}`);
      assert.equal(response.status, 200);
      return (await response.json()) as SessionPage;
    }

    /** The first snapshot for which this holds. */
    async function snapshot(isIt: (snapshot: Snapshot) => boolean): Promise<Snapshot> {
      const { body } = await fetch(`${admin}/events`);
      const decoder = new TextDecoder();
      let text = '';
      for await (const bytes of body ?? []) {
        text += decoder.decode(bytes, { stream: true });
        const blocks = text.split('\n\n');
        text = blocks.pop() ?? '';
        const found = blocks
          .flatMap((block) => /event: snapshot\ndata: (.*)/.exec(block)?.[1] ?? [])
          .map((data) => JSON.parse(data) as Snapshot)
          .find(isIt);
        // Whoever leaves the loop leaves the feed.
        if (found !== undefined) return found;
      }
      assert.fail('the feed ended');
    }

    it('tells what happens: two who are logged in, what they say, processes, and the node with its link', async () => {
      const told = snapshot(
        ({ figures }) =>
          figures.sessions === 2 && figures.held_requests === 2 && (figures.messages_in ?? 0) > 0,
      );
      let isTold = false;
      void told.then(() => {
        isTold = true;
      });
      for (let count = 0; !isTold; count += 1) {
        alice.sendMessage(bob.jid, `${count}`);
        await bob.inbox.until(() => bob.inbox.messages.includes(`${alice.jid}: ${count}`));
      }
      const { gateway, figures, nodes, workers: rows } = await told;
      assert.equal(gateway.state, 'in_service');
      assert.equal(gateway.actions, true);
      assert.ok((figures.memory_bytes ?? 0) > 20e6);
      assert.ok((figures.bytes_out ?? 0) > 0);
      assert.equal(rows.length, workers === 1 ? 1 : workers + 1);
      const [node] = nodes;
      assert.equal(node?.node, instance.ejabberdNode);
      assert.equal(node?.in_service, true);
      assert.deepEqual([node?.link.up, node?.link.wanted], [workers, workers]);
      assert.equal(node?.link.tls === '', instance.tls === undefined);
    });

    it('lists sessions, finds them by what the user or the address begins with, and by a whole address at once', async () => {
      const users = ({ sessions: rows }: SessionPage): string[] =>
        rows.map(({ user }) => user.replace(/\/.*/, '')).sort();
      const all = await eventually(sessions, (page) => page.total === 2);
      assert.deepEqual(users(all), [alice.jid, bob.jid]);
      assert.equal(all.next, null);
      const [row] = all.sessions;
      assert.equal(row?.node, instance.ejabberdNode);
      assert.equal(row?.transport, 'bosh');
      assert.equal(row?.state, 'established');
      assert.match(row?.address ?? '', /127\.0\.0\.1$/);
      assert.ok((row?.memory_bytes ?? 0) > 1000);
      assert.ok(row?.age_seconds !== null && (row?.age_seconds ?? -1) >= 0);
      assert.doesNotMatch(JSON.stringify(all), new RegExp(`${alice.sid}|${bob.sid}`));
      for (const [search, found] of [
        ['ali', [alice.jid]],
        ['ALICE@localh', [alice.jid]],
        [bob.jid, [bob.jid]],
        [`${bob.jid}/`, [bob.jid]],
        ['lice', []],
        ['nobody@localhost', []],
        [row?.address ?? '', [alice.jid, bob.jid]],
        ['<>\'"\u00e4', []],
      ] as const) {
        assert.deepEqual(users(await sessions(`search=${encodeURIComponent(search)}`)), found, search);
      }
      // What no page ever told.
      for (const after of ['x', '1:nobody@localhost', `99999999:${instance.ejabberdNode}`, '-1:a'])
        assert.equal((await sessions(`after=${encodeURIComponent(after)}`)).next, null, after);
    });

    it('goes through them page by page', async () => {
      const found: SessionRow[] = [];
      let after = '';
      do {
        const page = await sessions(`limit=1&after=${encodeURIComponent(after)}`);
        found.push(...page.sessions);
        after = page.next ?? '';
      } while (after !== '');
      assert.deepEqual(found.map(({ user }) => user.split('@')[0]).sort(), ['alice', 'bob']);
    });

    it('closes one, which its client is told, and no other', async () => {
      const {
        sessions: [row],
      } = await sessions(`search=${bob.jid}`);
      assert.ok(row);
      assert.equal((await ask('close', 'POST', { node: row.node, id: `${row.id}x` })).status, 404);
      assert.equal((await ask('close', 'POST', { node: 'nobody@localhost', id: row.id })).status, 404);
      assert.equal(bob.online, true);
      assert.equal((await ask('close', 'POST', { node: row.node, id: row.id })).status, 200);
      await until(() => !bob.online);
      assert.equal((await ask('close', 'POST', { node: row.node, id: row.id })).status, 404);
      assert.equal(alice.online, true);
    });

    it('drains the gateway and resumes it, as it tells on the feed', async () => {
      assert.deepEqual(await (await ask('drain', 'POST')).json(), { state: 'draining' });
      assert.equal((await fetch(`${admin}/health/ready`)).status, 503);
      await snapshot(({ gateway }) => gateway.state === 'drained');
      assert.deepEqual(await (await ask('resume', 'POST')).json(), { state: 'in_service' });
      // Workers report once a second.
      await until(async () => (await fetch(`${admin}/health/ready`)).ok);
    });

    it('tells what takes a node out of service, and what mends it; a session there can be neither seen nor closed', async () => {
      const [row] = (await sessions()).sessions;
      await instance.script('ejabberd.sh', 'stop');
      const { nodes, warnings } = await snapshot(({ nodes: [node] }) => node?.in_service === false);
      assert.notEqual(nodes[0]?.reason, '');
      assert.notEqual(nodes[0]?.mend, '');
      assert.ok(warnings.some(({ text }) => text.startsWith('out of service: ')));
      assert.deepEqual((await sessions()).sessions, []);
      assert.equal((await ask('close', 'POST', { node: row?.node, id: row?.id })).status, 404);
    });
  });
}

interface Snapshot {
  readonly gateway: { readonly state: string; readonly actions: boolean };
  readonly figures: Readonly<Record<string, number | null>>;
  readonly nodes: readonly {
    readonly node: string;
    readonly in_service: boolean;
    readonly reason: string;
    readonly mend: string;
    readonly link: { readonly up: number; readonly wanted: number; readonly tls: string };
  }[];
  readonly workers: readonly { readonly name: string; readonly memory_bytes: number }[];
  readonly warnings: readonly { readonly text: string; readonly worker?: string }[];
}
