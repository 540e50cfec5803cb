/**
 * Real web chat clients talk through WebSocket, each with its own kind, with another, and with one that uses BOSH: all at
 * once, while the network cuts their connections, and while the gateway is killed. Their stream management (XEP-0198)
 * resumes the same stream, and so every message comes once, in order.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it, mock, type TestContext } from 'node:test';
import { Instance } from '../../scripts/support/instance.js';
import { until } from '../support/until.js';
import type { ChatClient, MakeClient } from './support/chat-client.js';
import { converse } from './support/conversation.js';
import { CuttingProxy } from './support/cutting-proxy.js';
import { nothingLeft } from './support/module-state.js';
import { befriend, makeAccounts } from './support/people.js';
import { logIn } from './support/scenario.js';
import { ServerNode } from './support/server-node.js';
import { stanza } from './support/stanza-client.js';
import { strophe } from './support/strophe-client.js';
import { OWN, webSocketUrl } from './support/websocket-url.js';
import { XmppClient, xmpp } from './support/xmpp-client.js';

const MESSAGES = 1000;
/** The tests of the pairs. */
const AT_ONCE = { concurrency: true };

type Way = 'WebSocket' | 'BOSH';
const PAIRS: readonly (readonly [string, MakeClient, Way, MakeClient, Way])[] = [
  ['strophe.js', strophe, 'WebSocket', strophe, 'WebSocket'],
  ['stanza', stanza, 'WebSocket', stanza, 'WebSocket'],
  ['@xmpp/client', xmpp, 'WebSocket', xmpp, 'WebSocket'],
  ['strophe.js with stanza', strophe, 'WebSocket', stanza, 'WebSocket'],
  ['@xmpp/client with strophe.js over BOSH', xmpp, 'WebSocket', strophe, 'BOSH'],
  ['stanza with strophe.js over BOSH', stanza, 'WebSocket', strophe, 'BOSH'],
];

interface Pair {
  readonly name: string;
  readonly alice: ChatClient;
  readonly bob: ChatClient;
}

/**
 * A client takes the answers to two BOSH requests as they come, not in their order.
 * When its connection is lost, @xmpp/client counts fewer stanzas than it has handled, so that it gets some of them again, and
 * sends new ones before those that it sends again: through ejabberd's own WebSocket, too.
 */
const miscounts = ({ alice, bob }: Pair): boolean =>
  [alice, bob].some((client) => client instanceof XmppClient);

describe('web clients over WebSocket', { timeout: 300_000 }, () => {
  let instance: Instance;
  let server: ServerNode;
  let proxies: Readonly<Record<Way, CuttingProxy>>;
  let pairs: Pair[];

  before(async () => {
    // stanza writes there what it could not send and then sends again.
    mock.method(console, 'error', () => {});
    instance = await Instance.start();
    server = await ServerNode.connect(instance);
    proxies = {
      WebSocket: await CuttingProxy.start(webSocketUrl(instance)),
      BOSH: await CuttingProxy.start(OWN ? instance.ejabberdUrl : instance.gatewayUrl),
    };
    const accounts = await makeAccounts(
      server,
      PAIRS.flatMap((_, i) => [`alice${i}`, `bob${i}`]),
    );
    pairs = PAIRS.map(([name, makeAlice, aliceWay, makeBob, bobWay], i) => {
      const [alice, bob] = [accounts[2 * i], accounts[2 * i + 1]];
      assert.ok(alice && bob);
      return { name, alice: makeAlice(proxies[aliceWay].url, alice), bob: makeBob(proxies[bobWay].url, bob) };
    });
    await befriend(
      server,
      pairs.map(({ alice, bob }) => [alice, bob]),
    );
  });
  after(async () => {
    for (const proxy of Object.values(proxies ?? {})) proxy.stop();
    await server?.stop();
    await instance?.stop();
  });

  /** A test of each pair's own, all at once; `meanwhile` happens when half of all messages have come. */
  async function each(
    t: TestContext,
    messages: number,
    meanwhile?: () => Promise<void> | void,
  ): Promise<void> {
    const sids = pairs.map(({ alice, bob }) => [alice.sid, bob.sid]);
    const people = pairs.flatMap(({ alice, bob }) => [alice, bob]);
    const came = (): number => people.reduce((sum, { inbox }) => sum + inbox.messages.length, 0);
    const half = came() + (people.length * messages) / 2;
    const inTheMiddle = Promise.race(people.map(({ inbox }) => inbox.until(() => came() >= half))).then(
      meanwhile,
    );
    await Promise.all([
      inTheMiddle,
      ...pairs.map((pair, i) =>
        t.test(pair.name, async () => {
          const exact = !pair.name.includes('BOSH') && (meanwhile === undefined || !miscounts(pair));
          await Promise.all([
            converse(pair.alice, pair.bob, messages, { exact }),
            converse(pair.bob, pair.alice, messages, { exact }),
          ]);
          assert.deepEqual([pair.alice.sid, pair.bob.sid], sids[i], 'the same streams');
        }),
      ),
    ]);
  }

  it('log in with SCRAM and see each other', AT_ONCE, async (t) => {
    await Promise.all(pairs.map((pair) => t.test(pair.name, () => logIn(pair))));
    for (const { alice, bob } of pairs) assert.ok(alice.sid !== '' && bob.sid !== '');
  });

  it(`exchange ${MESSAGES} messages each way, both at once`, AT_ONCE, (t) => each(t, MESSAGES));

  it('go on in the same streams when the network cuts every connection', AT_ONCE, (t) =>
    each(t, MESSAGES / 2, () => {
      for (const proxy of Object.values(proxies)) proxy.cut();
    }),
  );

  it(
    'go on in the same streams when the gateway is killed and started again',
    { ...AT_ONCE, skip: OWN },
    (t) =>
      each(t, MESSAGES, async () => {
        await instance.killGateway();
        await instance.startGateway();
      }),
  );

  it('log out, and nothing of them is left', AT_ONCE, async (t) => {
    await Promise.all(
      pairs.map((pair) =>
        t.test(pair.name, async () => {
          const { alice, bob } = pair;
          await alice.logout();
          await until(() => !bob.inbox.online.has(alice.jid));
          await bob.logout();
        }),
      ),
    );
    if (!OWN) await nothingLeft(server);
  });
});
