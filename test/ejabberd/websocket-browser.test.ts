/**
 * Pages in a real browser chat through WebSocket, with converse.js and with strophe.js: while one is reloaded.
 * No message is lost, and strophe.js resumes the same stream.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { after, before, describe, it, type TestContext } from 'node:test';
import { type Browser, chromium } from 'playwright-core';
import { Instance } from '../../scripts/support/instance.js';
import { root } from '../../scripts/support/root.js';
import { CHROMIUM, QUIET } from './support/chromium.js';
import { converse } from './support/conversation.js';
import { PageClient } from './support/page-client.js';
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
  let site: Server;
  let browser: Browser;
  let pairs: Pair[];

  before(async () => {
    instance = await Instance.start();
    server = await ServerNode.connect(instance);
    site = await serve();
    browser = await chromium.launch({ executablePath: CHROMIUM, args: [...QUIET] });
    const accounts = await makeAccounts(
      server,
      PAIRS.flatMap((_, i) => [`alice${i}`, `bob${i}`]),
    );
    const address = `http://localhost:${(site.address() as AddressInfo).port}`;
    pairs = await Promise.all(
      PAIRS.map(async ([name, ...pages], i): Promise<Pair> => {
        const couple = accounts.slice(2 * i, 2 * i + 2);
        const [a, b] = couple;
        assert.ok(a && b);
        await befriend(server, [[a, b]]);
        const [alice, bob] = await Promise.all(
          couple.map((account, n) =>
            PageClient.open(browser, `${address}/${pages[n]}-page.html`, webSocketUrl(instance), account),
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

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.json': 'application/json',
  '.wasm': 'application/wasm',
};

/** A site with the pages, and what the two packages bring for pages. */
async function serve(): Promise<Server> {
  const { resolve } = createRequire(import.meta.url);
  const converseFiles = join(root, 'node_modules/converse.js/dist');
  const stropheFiles = join(resolve('strophe.js/package.json'), '../dist');
  const server = createServer(async ({ url = '' }, response) => {
    const { pathname } = new URL(url, 'http://localhost');
    const path = pathname.startsWith('/converse.js/')
      ? join(converseFiles, pathname.slice('/converse.js/'.length))
      : pathname.endsWith('.html')
        ? join(root, 'test/ejabberd/fixtures', pathname)
        : join(stropheFiles, pathname);
    const content = await readFile(path).catch(() => undefined);
    if (content === undefined) return response.writeHead(404).end();
    const type = TYPES[extname(path)] ?? 'application/octet-stream';
    return response.writeHead(200, { 'content-type': type }).end(content);
  });
  await new Promise<void>((done) => server.listen(0, 'localhost', done));
  return server;
}
