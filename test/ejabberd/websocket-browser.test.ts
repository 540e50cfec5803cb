/**
 * Pages in a real browser chat through WebSocket, with converse.js and with strophe.js: while one is reloaded.
 * Their stream management resumes the same stream: no message is lost.
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

const MESSAGES = 1000;
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

  /** A test of each pair's own, all at once; `meanwhile` happens when half of its messages have come to someone. */
  async function each(
    t: TestContext,
    messages: number,
    meanwhile: (pair: Pair) => Promise<unknown> | undefined = () => undefined,
  ): Promise<void> {
    await Promise.all(
      pairs.map((pair) =>
        t.test(pair.name, async () => {
          const { alice, bob } = pair;
          const sids = [alice.sid, bob.sid];
          const half = alice.inbox.messages.length + messages / 2;
          const inTheMiddle = alice.inbox
            .until(() => alice.inbox.messages.length >= half)
            .then(() => meanwhile(pair));
          // converse.js tells of messages as it has handled them, which is not quite the order in which they came.
          const exact = !pair.name.includes('converse.js');
          await Promise.all([
            converse(alice, bob, messages, { exact }),
            converse(bob, alice, messages, { exact }),
            inTheMiddle,
          ]);
          assert.deepEqual([alice.sid, bob.sid], sids, 'the same streams');
        }),
      ),
    );
  }

  it(`exchanges ${MESSAGES} messages each way, both at once`, AT_ONCE, (t) => each(t, MESSAGES));

  it('goes on in the same stream when a page is reloaded', AT_ONCE, (t) =>
    each(t, 100, ({ alice }) => alice.reload()),
  );
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
