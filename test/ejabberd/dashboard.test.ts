/**
 * The dashboard of a real gateway in a real browser: its figures move, it says what is broken and what mends it, it closes a
 * session, drains and resumes for who has the token, and outlives the gateway. With SCREENSHOTS=FOLDER it leaves there what
 * the browser showed (`make screenshots`).
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { after, afterEach, before, describe, it } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { type Browser, chromium } from 'playwright-core';
import { Instance } from '../../scripts/support/instance.js';
import { freePorts } from '../../scripts/support/ports.js';
import { GatewayProcess } from '../support/gateway-process.js';
import { until } from '../support/until.js';
import { CHROMIUM, QUIET } from './support/chromium.js';
import { chat } from './support/crowd.js';
import { DashboardPage } from './support/dashboard-page.js';
import { printed } from './support/printed.js';
import { WebSocketSession } from './support/websocket-session.js';

const { SCREENSHOTS } = process.env;
const run = promisify(execFile);
/** What a browser writes to its console where there is no gateway to be reached. */
const UNREACHED =
  /net::ERR_(?:CONNECTION_REFUSED|CONNECTION_RESET|INCOMPLETE_CHUNKED_ENCODING|EMPTY_RESPONSE)/;

describe('the dashboard', { timeout: 400_000 }, () => {
  let instance: Instance;
  let browser: Browser;
  let adminPort: number;
  let page: DashboardPage;
  let token: string;

  before(async () => {
    [adminPort = 0] = await freePorts(1);
    instance = await Instance.start({ gateway: false });
    const [command = []] = printed('docs/dashboard.md', 'test/ejabberd/dashboard.test.ts');
    await run('bash', ['-c', command.join('\n').replace('/etc/megaphone', instance.var)]);
    const file = join(instance.var, 'admin-token');
    token = (await readFile(file, 'utf8')).trim();
    Object.assign(instance.env, {
      MEGAPHONE_ADMIN_PORT: `${adminPort}`,
      MEGAPHONE_ADMIN_TOKEN_FILE: file,
      MEGAPHONE_DRAIN_DELAY: '0',
    });
    await instance.startGateway();
    browser = await chromium.launch({ executablePath: CHROMIUM, args: [...QUIET] });
    page = await DashboardPage.open(browser, adminPort, { viewport: { width: 1280, height: 800 } });
    await page.shows('#standing', 'All is well: 1 of 1 ejabberd nodes in service');
  });
  afterEach(() => assert.deepEqual(page.wrong.splice(0), []));
  after(async () => {
    await browser?.close();
    await instance?.stop();
  });

  const login = (person: 'alice' | 'bob', resource: string): Promise<WebSocketSession> =>
    WebSocketSession.login(instance.gatewayWebSocketUrl, { ...instance[person], resource });

  it('shows who comes, and what they write', async () => {
    const people = [await login('alice', 'one'), await login('bob', 'two')];
    await until(async () => (await page.figure('Sessions')) === '2');
    await until(async () => (await page.figure('Connections')) === '2');
    await page.shows('#nodes tbody', instance.ejabberdNode);
    let texts = 0;
    await until(async () => {
      texts += 1;
      await people[0]?.say(instance.bob.jid, `text ${texts}`);
      return parseFloat(await page.figure('Messages')) > 0 && parseFloat(await page.figure('Traffic')) > 0;
    });
    assert.match(await page.figure('Memory'), /^\d+(?:\.\d)?\u00a0MB$/);
    await page.shows('#workers tbody', instance.gatewayNode);
    await fetch(instance.gatewayUrl.replace('/bosh', '/nothing'));
    assert.equal(await (await page.shows('#refused tr', 'path')).locator('td').first().textContent(), '1');
    for (const person of people) await person.leave();
    await until(async () => (await page.figure('Connections')) === '0');
  });

  it('finds a session, whatever its client calls itself, and closes it for who has the token', async () => {
    const client = await login('alice', '&lt;img src=x onerror=alert(1)&gt;');
    const other = await login('bob', 'two');
    await page.page.getByRole('link', { name: 'Sessions' }).click();
    await page.page.getByLabel('User or address begins with').fill('alice@');
    await page.page.getByRole('button', { name: 'Look' }).click();
    await page.giveToken('one-that-somebody-guessed');
    await page.shows('#token-dialog .error', /token/);
    await page.giveToken(token);
    const row = await page.shows('#session-list tr', 'alice@localhost/<img src=x onerror=alert(1)>');
    assert.match((await row.textContent()) ?? '', /127\.0\.0\.1WebSocketestablished/);
    assert.equal(await page.page.locator('#session-list tbody tr').count(), 1);
    await row.getByRole('button', { name: 'Close' }).click();
    await page.page.getByRole('button', { name: 'Close it' }).click();
    await client.closed;
    await row.waitFor({ state: 'detached' });
    await other.roundTrip();
    await other.leave();
    page.wrong.splice(0, page.wrong.length, ...page.wrong.filter((line) => !/status of 401/.test(line)));
  });

  it('goes on with what it looked for, whatever the form says meanwhile', async () => {
    const searches: (string | null)[] = [];
    // There is always more, and never a session: each look asks twenty times.
    await page.page.route('**/api/sessions?*', async (route) => {
      searches.push(new URL(route.request().url()).searchParams.get('search'));
      await route.fulfill({ json: { sessions: [], next: 'there', looked_at: 1000, total: 7 } });
    });
    const search = page.page.getByLabel('User or address begins with');
    await search.fill('alice@');
    await page.page.getByRole('button', { name: 'Look' }).click();
    await until(() => searches.length === 20);
    await search.fill('bob@');
    await page.page.getByRole('button', { name: 'More' }).click();
    await until(() => searches.length === 40);
    assert.deepEqual(new Set(searches), new Set(['alice@']));
    await page.page.unroute('**/api/sessions?*');
  });

  it('keeps the token in its tab, and out of every address', async () => {
    const kept = await page.page.evaluate('[sessionStorage.length, localStorage.length, document.cookie]');
    assert.deepEqual(kept, [1, 0, '']);
    assert.ok(page.asked.some((address) => address.includes('/api/sessions?')));
    assert.deepEqual(
      page.asked.filter((address) => address.includes(token)),
      [],
    );
  });

  it('drains and resumes', async () => {
    const client = await login('alice', 'three');
    await page.page.getByRole('link', { name: 'Overview' }).click();
    await page.page.getByRole('button', { name: 'Drain' }).click();
    await page.page.locator('#sure').getByRole('button', { name: 'Drain' }).click();
    assert.equal((await client.closed).code, 1012);
    await page.shows('#standing', 'It is drained');
    await page.shows('#problems .warn', /The gateway is drained.* “Resume” takes it back/);
    await page.page.getByRole('button', { name: 'Resume' }).click();
    await page.page.locator('#sure').getByRole('button', { name: 'Resume' }).click();
    await page.shows('#standing', 'All is well');
    assert.equal(await page.page.locator('#problems li').count(), 0);
  });

  it('has its picture taken', { skip: SCREENSHOTS === undefined }, async () => {
    const end = new AbortController();
    const chats = chat(instance, end);
    await sleep(170_000);
    for (const colorScheme of ['light', 'dark'] as const) {
      const viewport = { width: 1280, height: 840 };
      const picture = await DashboardPage.open(browser, adminPort, { colorScheme, viewport });
      await picture.shows('#standing', 'All is well');
      await until(async () => (await picture.figure('Memory')) !== '–');
      await picture.page.screenshot({ path: join(SCREENSHOTS ?? '', `dashboard-${colorScheme}.png`) });
      await picture.close();
    }
    end.abort();
    await chats;
  });

  it('says which node is out of service, and what mends that, and that it is back', async () => {
    await instance.script('ejabberd.sh', 'stop');
    await page.shows('#standing', 'It serves nobody: 0 of 1');
    await page.shows('#problems .bad', 'No ejabberd node is in service');
    await page.shows(
      '#problems .bad',
      new RegExp(`${instance.ejabberdNode} is out of service: .*Is it running\\?`),
    );
    await page.shows('#nodes tbody', /out of service.*down.*Is it running\?/);
    await page.shows('#warnings li', instance.ejabberdNode);
    assert.match(await page.page.title(), /^\(\d\) megaphone/);
    await instance.script('ejabberd.sh', 'start');
    await page.shows('#standing', 'All is well');
    assert.equal(await page.page.title(), `${instance.gatewayNode} · Megaphone`);
  });

  it('says so when it hears nothing, and shows nothing old as if it were new', async () => {
    const pid = Number(await page.page.locator('#workers td').nth(1).textContent());
    process.kill(pid, 'SIGSTOP');
    await page.shows('#problems .bad', /^The gateway has said nothing for \d+.s\. .* What is shown is of/);
    assert.equal(await page.page.locator('body.stale').count(), 1);
    process.kill(pid, 'SIGCONT');
    await page.shows('#standing', 'All is well');
  });

  it('says so while there is no gateway, and goes on with the next one', async () => {
    await instance.killGateway();
    await page.shows(
      '#problems .bad',
      /^No connection to the gateway for .* What is shown is of \d\d:\d\d:\d\d\.$/,
    );
    assert.equal(await page.page.locator('body.stale').count(), 1);
    await page.shows('#standing', 'no connection');
    await instance.startGateway();
    await page.shows('#standing', 'All is well');
    assert.equal(await page.page.locator('body.stale').count(), 0);
    const others = page.wrong.filter((line) => !UNREACHED.test(line));
    page.wrong.splice(0, page.wrong.length, ...others);
  });

  it('says that a cookie is wrong, that a worker died, and without a token file that nothing acts', async () => {
    const { ERL_EPMD_PORT: epmd_port = '' } = instance.env;
    const node = `stranger${process.pid}@localhost`;
    const settings = { nodes: instance.ejabberdNode, epmd_port, node, workers: '2' };
    const stranger = await GatewayProcess.start(1000, { ...settings, ...instance.tlsSettings }, 'wrong');
    const its = await DashboardPage.open(browser, stranger.adminPort);
    await its.shows('#problems .bad', /cookie/);
    await its.shows('.why', /cookie/);
    await its.shows('#warnings li', 'HANDSHAKE_WRONG_COOKIE');
    for (const name of ['Drain', 'Token'])
      assert.ok(await its.page.getByRole('button', { name }).isDisabled(), name);
    if (SCREENSHOTS) await its.page.screenshot({ path: join(SCREENSHOTS, 'dashboard-broken.png') });
    const worker = its.page.locator('#workers tbody tr').nth(1);
    process.kill(Number(await worker.locator('td').nth(1).textContent()), 'SIGKILL');
    await its.shows('#warnings li', 'GATEWAY_WORKER_DIED');
    await until(async () => (await worker.locator('td').last().textContent()) === '1');
    assert.equal(await its.page.locator('#workers tbody tr').count(), 3);
    assert.deepEqual(its.wrong, []);
    await its.close();
    stranger.process.kill('SIGKILL');
  });

  it('has a part for comet where it is on: who listens, what comes, and what is missing', async () => {
    assert.equal(await page.page.locator('#comet').isVisible(), false);
    const { ERL_EPMD_PORT: epmd_port = '' } = instance.env;
    const node = `comet${process.pid}@localhost`;
    const settings = { nodes: '', epmd_port, node, workers: '2', comet_anyone: 'true' };
    const gateway = await GatewayProcess.start(1000, { ...settings, ...instance.tlsSettings });
    const its = await DashboardPage.open(browser, gateway.adminPort);
    await its.shows('#problems .bad', /^Comet has no router, and several workers.*megaphone_comet/);
    await its.shows('#standing', 'It serves, with problems: 0 of 0 ejabberd nodes in service');
    const listening = await fetch(`http://localhost:${gateway.port}/comet/123?sse`);
    await until(async () => (await its.figure('Pages that listen')) === '1');
    await its.shows('#comet-pages', /^1 server-sent events · 0 plain stream · 0 polls · 0 WebSocket/);
    const narrow = await DashboardPage.open(browser, gateway.adminPort, {
      viewport: { width: 390, height: 844 },
    });
    await narrow.shows('#comet-pages', /^1 server-sent events/);
    assert.equal(await narrow.page.evaluate('document.documentElement.scrollWidth'), 390);
    await listening.body?.cancel();
    await until(async () => (await its.figure('Pages that listen')) === '0');
    assert.deepEqual([...its.wrong, ...narrow.wrong], []);
    await its.close();
    await narrow.close();
    gateway.process.kill('SIGKILL');
  });

  for (const colorScheme of ['light', 'dark'] as const) {
    it(`fits a phone, ${colorScheme}`, async () => {
      const phone = await DashboardPage.open(browser, adminPort, {
        colorScheme,
        viewport: { width: 390, height: 844 },
      });
      await phone.shows('#standing', 'All is well');
      await until(async () => (await phone.figure('Memory')) !== '–');
      assert.equal(await phone.page.evaluate('document.documentElement.scrollWidth'), 390);
      await phone.page.getByRole('link', { name: 'Sessions' }).click();
      assert.equal(await phone.page.evaluate('document.documentElement.scrollWidth'), 390);
      assert.deepEqual(phone.wrong, []);
      await phone.close();
    });
  }

  it('is used without a mouse', async () => {
    const { keyboard } = page.page;
    const focused = (): Promise<string> => page.page.evaluate('document.activeElement.textContent');
    await page.page.locator('h1').click();
    for (const name of ['Overview', 'Sessions', 'Drain']) {
      await keyboard.press('Tab');
      assert.equal((await focused()).trim(), name);
    }
    await keyboard.press('Enter');
    await page.page.locator('#sure[open]').waitFor();
    await keyboard.press('Escape');
    await page.page.locator('#sure').waitFor({ state: 'hidden' });
    assert.equal((await focused()).trim(), 'Drain');
    await page.shows('#standing', 'All is well');
  });
});
