/**
 * A foreign page in a real browser posts a form to the gateway, in a session of the attacker's own whose queued message
 * holds a script. Shown as a page, the answer would be one of the gateway's origin: its script must not run there.
 */
import assert from 'node:assert/strict';
import { createServer, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { after, before, describe, it } from 'node:test';
import { type Browser, chromium, type Page, type Response } from 'playwright-core';
import { Instance } from '../../scripts/support/instance.js';
import { until } from '../support/until.js';
import { BoshSession, ping } from './conformance/bosh-session.js';
import { CHROMIUM, QUIET } from './support/chromium.js';

/** A name without HTTPS, to which browsers do not tell what a request is for. */
const NAME = 'gateway.example';
const SCRIPT = `<script xmlns='http://www.w3.org/1999/xhtml'>console.log('ran in ' + origin)</script>`;

describe("a foreign page's form", { timeout: 120_000 }, () => {
  let instance: Instance;
  let attacker: BoshSession;
  let sender: BoshSession;
  let site: Server;
  /** Hands the gateway's answers on without what they say to browsers. */
  let bare: Server;
  let browser: Browser;
  let page: Page;
  let told: string[];

  before(async () => {
    instance = await Instance.start();
    // It listens before it is connected to ejabberd.
    await until(async () => (await BoshSession.create(instance.gatewayUrl)).creation.status === 200);
    attacker = await BoshSession.login(instance.gatewayUrl, {}, instance.alice);
    sender = await BoshSession.login(instance.gatewayUrl, {}, instance.bob);
    site = await serve((_, response) => {
      response.writeHead(200, { 'content-type': 'text/html' }).end('<p>Welcome!');
    });
    bare = await serve(async (request, response) => {
      const chunks: Buffer[] = [];
      for await (const chunk of request) chunks.push(chunk);
      const answer = await fetch(instance.gatewayUrl, { method: 'POST', body: Buffer.concat(chunks) });
      response.writeHead(answer.status, { 'content-type': answer.headers.get('content-type') ?? '' });
      response.end(await answer.text());
    });
    const rules = `--host-resolver-rules=MAP ${NAME} 127.0.0.1`;
    browser = await chromium.launch({ executablePath: CHROMIUM, args: [...QUIET, rules] });
  });

  after(async () => {
    await browser?.close();
    site?.close();
    bare?.close();
    await instance?.stop();
  });

  /** What the attacker's next request is answered when a form sends it, once the page or frame shows it. */
  async function post(url: string, target: string): Promise<Response> {
    const message = `<message to='${attacker.jid}' type='chat' xmlns='jabber:client'>${SCRIPT}</message>`;
    await sender.until(({ xml }) => xml.includes("'ping'"), message + ping());
    page = await browser.newPage();
    told = [];
    page.on('console', (line) => void told.push(line.text()));
    await page.goto(`http://localhost:${portOf(site)}/`);
    const name = `<body rid='${attacker.rid + 1}' sid='${attacker.sid}' xmlns='http://jabber.org/protocol/httpbind' x='`;
    await page.setContent(
      `<iframe name="frame"></iframe>
       <form action="${url}" target="${target}" method="post" enctype="text/plain">
         <input type="hidden" name="${name}" value="'/>">
         <button>win</button>
       </form>`,
    );
    const shown = page.waitForResponse(url);
    await page.click('button');
    const response = await shown;
    await response.finished();
    await response.frame().waitForLoadState('load');
    return response;
  }

  const named = (url: string): string => url.replace('127.0.0.1', NAME);

  for (const target of ['_self', 'frame']) {
    it(`hears 403 where the browser says that the answer would be shown: ${target}`, async () => {
      const response = await post(instance.gatewayUrl, target);
      assert.equal(response.status(), 403);
      assert.equal(response.headers()['content-type'], 'text/plain; charset=utf-8');
      assert.doesNotMatch(told.join(), /ran in/);
      await page.close();
    });

    it(`is answered where the browser does not say it, and nothing of the answer runs: ${target}`, async () => {
      const response = await post(named(instance.gatewayUrl), target);
      attacker.rid += 1;
      assert.equal((await response.request().allHeaders())['sec-fetch-mode'], undefined);
      assert.equal(response.status(), 200);
      assert.match(response.headers()['content-type'] ?? '', /^text\/xml/);
      assert.match(await response.text(), /<script /);
      assert.doesNotMatch(told.join(), /ran in/);
      await page.close();
    });

    it(`would run it without the headers of the answer: ${target}`, async () => {
      const url = `http://${NAME}:${portOf(bare)}/bosh`;
      await post(url, target);
      attacker.rid += 1;
      assert.match(told.join(), new RegExp(`ran in http://${NAME}:${portOf(bare)}`));
      await page.close();
    });
  }
});

async function serve(listener: RequestListener): Promise<Server> {
  const server = createServer(listener);
  await new Promise<void>((resolve) => server.listen(0, 'localhost', resolve));
  return server;
}

const portOf = (server: Server): number => (server.address() as AddressInfo).port;
