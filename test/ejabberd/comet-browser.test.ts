/**
 * Pages that miss nothing: those of examples/ in a real browser, before two gateways and an Erlang node that sends. They are
 * reloaded, cut off, led to the other gateway and lose one, and have each message once, in order; who is away for too long is told so.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { type Browser, type BrowserContext, chromium, type Page } from 'playwright-core';
import { Epmd, killChild } from '../../scripts/support/epmd.js';
import { Erl } from '../../scripts/support/erl.js';
import { root } from '../../scripts/support/root.js';
import { GatewayProcess } from '../support/gateway-process.js';
import { happens, until } from '../support/until.js';
import { CHROMIUM, QUIET } from './support/chromium.js';
import { printed } from './support/printed.js';
import { Switch } from './support/switch.js';

const run = promisify(execFile);
/** Each line that a page shows, kept over its reloads. In the same task as the place: no end of a page falls between the two. */
const WATCH = `new MutationObserver((changes) => {
  const items = changes.flatMap(({ addedNodes }) => [...addedNodes]).filter(({ tagName }) => tagName === 'LI');
  const seen = JSON.parse(sessionStorage.getItem('seen') ?? '[]');
  sessionStorage.setItem('seen', JSON.stringify([...seen, ...items.map(({ textContent }) => textContent)]));
}).observe(document, { childList: true, subtree: true })`;
const GREETING = 'Good morning';
const GAP = /^Something was missed/;

describe('a page that listens to ids', { timeout: 300_000 }, () => {
  let epmd: Epmd;
  let erl: Erl;
  let gateways: readonly GatewayProcess[] = [];
  let network: Switch;
  let site: Server;
  let browser: Browser;
  let context: BrowserContext;
  /** Server-sent events, and a WebSocket for several ids. */
  let pages: readonly Page[] = [];
  let said = 0;

  before(async () => {
    await run('make', ['-s', '-C', join(root, 'erl'), 'comet']);
    epmd = await Epmd.start();
    const router = `router${process.pid}@localhost`;
    const path = join(root, 'dist/erl/megaphone_comet/ebin');
    erl = await Erl.start({ name: router, cookie: 'test', epmdPort: epmd.port, args: ['-pa', path] });
    await erl.evaluate('{ok, _} = application:ensure_all_started(megaphone_comet)');
    const settings = { nodes: '', epmd_port: `${epmd.port}`, comet_anyone: 'true', comet_nodes: router };
    gateways = await Promise.all(
      ['one', 'two'].map((name) =>
        GatewayProcess.start(1000, { ...settings, node: `${name}${process.pid}@localhost` }),
      ),
    );
    network = await Switch.start(gateways[0]?.port ?? 0);
    site = await serveExamples(network.port);
    browser = await chromium.launch({ executablePath: CHROMIUM, args: [...QUIET] });
    context = await browser.newContext();
    await context.addInitScript(WATCH);
    const at = `http://localhost:${(site.address() as AddressInfo).port}`;
    pages = await Promise.all(
      ['events.html', 'several-ids.html'].map(async (name) => {
        const page = await context.newPage();
        await page.goto(`${at}/${name}`);
        return page;
      }),
    );
    for (const page of pages) await until(async () => (await placeOf(page)) !== null);
  });
  after(async () => {
    await browser?.close();
    site?.close();
    await network?.stop();
    for (const gateway of gateways) await killChild(gateway.process);
    await erl?.kill();
    await epmd?.stop();
  });

  /** So many more messages to 123: 1, 2, 3 … */
  async function say(count: number): Promise<void> {
    const [from, to] = [said + 1, said + count];
    said = to;
    await erl.evaluate(
      `[megaphone_router:send(123, integer_to_binary(N)) || N <- lists:seq(${from}, ${to})]`,
    );
  }

  /** Each page has every message once, in order. */
  async function nothingIsMissed(): Promise<void> {
    for (const page of pages) {
      await until(async () => (await numbersOf(page)).at(-1) === said);
      assert.deepEqual(await numbersOf(page), upTo(said));
    }
  }

  it('misses nothing that is sent before its first message, while it is reloaded', async () => {
    network.cut();
    for (const page of pages) await page.reload();
    await say(3);
    network.lead(gateways[0]?.port ?? 0);
    await nothingIsMissed();
  });

  it('misses nothing while it is reloaded again and again', async () => {
    for (let times = 0; times < 3; times += 1) {
      await Promise.all([say(20), ...pages.map((page) => page.reload())]);
      await say(5);
    }
    await nothingIsMissed();
  });

  it('misses nothing while it is offline', async () => {
    await context.setOffline(true);
    network.cut();
    await say(30);
    await context.setOffline(false);
    network.lead(gateways[0]?.port ?? 0);
    await nothingIsMissed();
  });

  it('misses nothing where it is led to another gateway, and where its gateway is killed', async () => {
    const [one, two] = gateways as [GatewayProcess, GatewayProcess];
    await say(5);
    network.cut();
    network.lead(two.port);
    await say(5);
    await nothingIsMissed();
    await killChild(two.process);
    network.lead(one.port);
    await say(5);
    await nothingIsMissed();
  });

  it('is as short as the documentation has it', async () => {
    const [lines = []] = printed('docs/comet.md', 'test/ejabberd/comet-browser.test.ts');
    // Of the same origin; what the gateway answers there would run no script.
    const page = await browser.newPage({ bypassCSP: true });
    await page.goto(`http://localhost:${gateways[0]?.port}/nothing`);
    await page.addScriptTag({
      content: `let said = []; const show = (data) => said.push(data); const greet = (data) => said.push('greeted: ' + data);
        ${lines.join('\n')}
        const opened = new Promise((resolve) => events.addEventListener('place', resolve));`,
    });
    await page.evaluate('opened');
    await erl.evaluate(`megaphone_router:send(123, <<"${GREETING}">>, #{event => greeting})`);
    await say(1);
    await until(async () => ((await page.evaluate('said.length')) as number) === 2);
    assert.deepEqual(await page.evaluate('said'), [`greeted: ${GREETING}`, `${said}`]);
    await page.close();
    await nothingIsMissed();
  });

  it('is told that it missed something where it was away for longer than the ring keeps messages', async () => {
    network.cut();
    await say(1000);
    network.lead(gateways[0]?.port ?? 0);
    for (const page of pages) {
      await until(async () => (await numbersOf(page)).at(-1) === said);
      const [first = '', ...others] = (await seenBy(page)).slice(upTo(said - 1000).length);
      assert.match(first, GAP);
      const kept = others.map(numberIn);
      assert.ok(kept.length > 0 && kept.length < 1000, `${kept.length} came`);
      assert.deepEqual(kept, upTo(said).slice(-kept.length));
    }
  });

  it('is counted, and so is what it got', async () => {
    const answer = await fetch(`http://localhost:${gateways[0]?.adminPort}/metrics`);
    const samples = (await answer.text()).split('\n').map((line) => line.split(' '));
    const value = (name: string): number =>
      Number(samples.find(([key]) => key === `megaphone_comet_${name}`)?.[1]);
    assert.deepEqual(
      ['listeners{transport="sse"}', 'listeners{transport="websocket"}', 'ids'].map(value),
      [1, 1, 3],
    );
    assert.equal(value(`router_welcome{node="${erl.name}"}`), 1);
    // It has been two gateways, and pages that were away: each message came here at most once, and went to both pages.
    const came = value('messages_total{way="router"}');
    assert.ok(came > 0 && came <= said + 1, `${came} of ${said} came`);
    assert.ok(value('deliveries_total') > 100, `${value('deliveries_total')}`);
    assert.ok(value('gaps_total') >= 2);
    assert.ok(value('replays_total{for="page"}') > 0);
    assert.ok(value('fanout_seconds_count') > 0 && value('opening_seconds_count') > 0);
  });
});

/** The pages, asking that port in place of the gateway's usual one. */
async function serveExamples(port: number): Promise<Server> {
  const server = createServer(async ({ url = '' }, response) => {
    if (!/^\/[\w-]+\.html$/.test(url)) return response.writeHead(404).end();
    const page = await readFile(join(root, 'examples', url), 'utf8');
    response.writeHead(200, { 'content-type': 'text/html; charset=utf-8' });
    return response.end(page.replace('localhost:8080', `localhost:${port}`));
  });
  server.listen(0, '127.0.0.1');
  await happens(server, 'listening');
  return server;
}

const placeOf = (page: Page): Promise<string | null> =>
  page.evaluate('sessionStorage.getItem(url)') as Promise<string | null>;

/** Less what another test said. */
async function seenBy(page: Page): Promise<string[]> {
  const seen = (await page.evaluate('sessionStorage.getItem("seen") ?? "[]"')) as string;
  return (JSON.parse(seen) as string[]).filter((line) => !line.endsWith(GREETING));
}

/** With several ids it stands behind the id. */
const numberIn = (line: string): number => Number(line.replace('123: ', ''));

const numbersOf = async (page: Page): Promise<number[]> =>
  (await seenBy(page)).filter((line) => !GAP.test(line)).map(numberIn);

const upTo = (last: number): number[] => Array.from({ length: last }, (_, at) => at + 1);
