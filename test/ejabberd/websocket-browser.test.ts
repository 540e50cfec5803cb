/**
 * Pages in a real browser chat through WebSocket, with converse.js and with strophe.js: while one is reloaded.
 * No message is lost, and strophe.js resumes the same stream.
 */
import assert from 'node:assert/strict';
import { after, before, describe, it, type TestContext } from 'node:test';
import { type Browser, chromium } from 'playwright-core';
import { Instance } from '../../scripts/support/instance.js';
import { CHROMIUM, QUIET } from './support/chromium.js';
import { converse } from './support/conversation.js';
import { PageClient } from './support/page-client.js';
import { type Site, serveSite } from './support/page-site.js';
import { befriend, makeAccounts } from './support/people.js';
import { ServerNode } from './support/server-node.js';
import { webSocketUrl } from './support/websocket-url.js';

// A page draws each of them, which takes most of the time.
const MESSAGES = 300;
const PAIRS = [
  ['converse.js', 'converse', 'converse'],
  ['strophe.js', 'strophe', 'strophe'],
  ['converse.js with strophe.js', 'converse', 'strophe'],
] as const;
const AT_ONCE = { concurrency: true };

interface Pair {
  readonly name: string;
  readonly alice: PageClient;
  readonly bob: PageClient;
}

describe('a browser over WebSocket', { timeout: 300_000 }, () => {
  let instance: Instance;
  let server: ServerNode;
  let site: Site;
  let browser: Browser;
  let pairs: Pair[];

  before(async () => {
    instance = await Instance.start();
    server = await ServerNode.connect(instance);
    site = await serveSite();
    browser = await chromium.launch({ executablePath: CHROMIUM, args: [...QUIET] });
    const accounts = await makeAccounts(
      server,
      PAIRS.flatMap((_, i) => [`alice${i}`, `bob${i}`]),
    );
    pairs = await Promise.all(
      PAIRS.map(async ([name, ...pages], i): Promise<Pair> => {
        const couple = accounts.slice(2 * i, 2 * i + 2);
        const [a, b] = couple;
        assert.ok(a && b);
        await befriend(server, [[a, b]]);
        const [alice, bob] = await Promise.all(
          couple.map((account, n) =>
            PageClient.open(
              browser,
              `${site.address}/${pages[n]}-page.html`,
              webSocketUrl(instance),
              account,
            ),
          ),
        );
        assert.ok(alice && bob);
        await Promise.all([alice.login(), bob.login()]);
        return { name, alice, bob };
      }),
    );
  });
  after(async () => {
    await browser?.close();
    site?.close();
    await server?.stop();
    await instance?.stop();
  });

  // converse.js tells of messages as it has handled them, which is not quite the order in which they came.
  const exactly = ({ name }: Pair) => ({ exact: !name.includes('converse.js') });

  it(`exchanges ${MESSAGES} messages each way, both at once`, AT_ONCE, (t) =>
    each(t, async (pair) => {
      const { alice, bob } = pair;
      await Promise.all([
        converse(alice, bob, MESSAGES, exactly(pair)),
        converse(bob, alice, MESSAGES, exactly(pair)),
      ]);
    }),
  );

  it('goes on in the same stream when a page with strophe.js is reloaded, and hears what was said meanwhile', async () => {
    const { alice, bob } = pairs.find(({ name }) => name === 'strophe.js') ?? assert.fail();
    const { sid } = alice;
    await alice.reload(() => converse(bob, alice, 100));
    await converse(alice, bob, 20);
    assert.equal(alice.sid, sid);
  });

  /** A test of each pair's own, all at once. */
  async function each(t: TestContext, test: (pair: Pair) => Promise<void>): Promise<void> {
    await Promise.all(
      pairs.map((pair) =>
        t.test(pair.name, async () => {
          const sids = [pair.alice.sid, pair.bob.sid];
          await test(pair);
          assert.deepEqual([pair.alice.sid, pair.bob.sid], sids, 'the same streams');
        }),
      ),
    );
  }
});
