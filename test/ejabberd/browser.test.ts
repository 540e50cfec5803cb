/**
 * Two pages in a real browser log in through the gateway and chat. They come from another origin than the gateway's,
 * so the browser also judges the gateway's CORS headers, and its answer to the origin of a WebSocket.
 */
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { createRequire } from 'node:module';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { type Browser, chromium, type Page } from 'playwright-core';
import type { Account } from '../../scripts/support/instance.js';
import { Instance } from '../../scripts/support/instance.js';
import { root } from '../../scripts/support/root.js';
import { until } from '../support/until.js';
import { CHROMIUM, QUIET } from './support/chromium.js';
import { gatewayBeside } from './support/gateway-beside.js';

const GREETING = 'Grüße, <b>&amp; 你好 🎉';

describe('a browser', { timeout: 120_000 }, () => {
  let instance: Instance;
  let site: Server;
  let browser: Browser;
  let alice: Page;
  let bob: Page;

  before(async () => {
    instance = await Instance.start();
    site = await serve({
      '/': ['text/html; charset=utf-8', join(root, 'examples/chat.html')],
      '/strophe.umd.min.js': ['text/javascript', strophe()],
    });
    browser = await chromium.launch({ executablePath: CHROMIUM, args: [...QUIET] });
    [alice, bob] = await Promise.all([open(instance.alice), open(instance.bob)]);
  });

  after(async () => {
    await browser?.close();
    site?.close();
    await instance?.stop();
  });

  async function open({ jid, password }: Account, url = instance.gatewayUrl): Promise<Page> {
    const page = await browser.newPage();
    await page.goto(`http://localhost:${(site.address() as AddressInfo).port}/`);
    await page.fill('[name=url]', new URL(url).origin);
    await page.fill('[name=jid]', jid);
    await page.fill('[name=password]', password);
    await page.click('#login button');
    await page.locator('#status', { hasText: /^CONNECTED$/ }).waitFor();
    return page;
  }

  const endpoint = (page: Page): Promise<string | null> => page.locator('#status').getAttribute('title');

  async function say(page: Page, to: string, text: string): Promise<void> {
    await page.fill('[name=to]', to);
    await page.fill('[name=text]', text);
    await page.click('#chat button');
  }

  it('came over WebSocket', async () => {
    for (const page of [alice, bob]) assert.equal(await endpoint(page), instance.gatewayWebSocketUrl);
  });

  it('comes over BOSH where no WebSocket can be opened', async () => {
    const beside = await gatewayBeside(instance, { websocket_paths: [] });
    try {
      const page = await open(instance.alice, beside.url);
      assert.equal(await endpoint(page), beside.url);
      await page.click('#logout');
      await page.locator('#status', { hasText: /^DISCONNECTED$/ }).waitFor();
    } finally {
      await beside.service.stop();
    }
  });

  it('delivers what one page writes to the other, and back', async () => {
    await say(alice, instance.bob.jid, GREETING);
    await bob.locator('#messages li').first().waitFor();
    await say(bob, instance.alice.jid, 'and back');
    await alice.locator('#messages li').first().waitFor();
    assert.deepEqual(await bob.locator('#messages li').allTextContents(), [GREETING]);
    assert.deepEqual(await alice.locator('#messages li').allTextContents(), ['and back']);
  });

  it('is seen by ejabberd with its own address, and gone after the logout', async () => {
    const users = await instance.ctl('connected_users_info');
    assert.match(users, /^alice@localhost\/\S+\t\S+\t(?:::ffff:)?127\.0\.0\.1\t/m);
    for (const page of [alice, bob]) {
      await page.click('#logout');
      await page.locator('#status', { hasText: /^DISCONNECTED$/ }).waitFor();
    }
    // A page that leaves a WebSocket does not wait for the answer.
    await until(async () => (await instance.connectedUsers()).length === 0);
  });
});

/** The build that a page loads with a script element. */
function strophe(): string {
  const manifest = createRequire(import.meta.url).resolve('strophe.js/package.json');
  return join(manifest, '../dist/strophe.umd.min.js');
}

/** A web server of some files, by path, each with its content type. */
async function serve(files: Readonly<Record<string, readonly [string, string]>>): Promise<Server> {
  const server = createServer(async ({ url = '' }, response) => {
    const [type, path] = files[url] ?? [];
    if (!type || !path) return response.writeHead(404).end();
    return response.writeHead(200, { 'content-type': type }).end(await readFile(path));
  });
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  return server;
}
