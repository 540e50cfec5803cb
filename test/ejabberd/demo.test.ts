/**
 * What `make run` has to look at: its demo, played in a real browser over both transports. Who may see it, and that the gateway
 * itself has no such thing. With SCREENSHOTS=FOLDER it leaves there what the browser showed (`make screenshots`).
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { connect } from 'node:net';
import { join } from 'node:path';
import { after, before, describe, it } from 'node:test';
import { promisify } from 'node:util';
import { type Browser, chromium, type FrameLocator, type Page } from 'playwright-core';
import { Instance } from '../../scripts/support/instance.js';
import { freePorts } from '../../scripts/support/ports.js';
import { happens, until } from '../support/until.js';
import { BoshSession } from './conformance/bosh-session.js';
import { CHROMIUM, QUIET } from './support/chromium.js';

const run = promisify(execFile);
const { SCREENSHOTS } = process.env;
const PEOPLE = ['alice', 'bob'] as const;
type Person = (typeof PEOPLE)[number];
const TALK: readonly (readonly [Person, string])[] = [
  ['alice', 'Hello Bob! Which way did this take?'],
  ['bob', 'Browser, gateway, ejabberd, and back.'],
  ['alice', 'And nobody is lost in between?'],
  ['bob', 'Not one: you were answered.'],
];

describe('the demo', { timeout: 240_000 }, () => {
  let instance: Instance;
  let browser: Browser;
  let site: string;
  let port: number;

  before(async () => {
    instance = await Instance.start({ gateway: false });
    const [adminPort] = await freePorts(1);
    instance.env.MEGAPHONE_ADMIN_PORT = `${adminPort}`;
    await instance.script('dev.sh', 'up');
    port = Number(instance.env.MEGAPHONE_HTTP_PORT);
    site = `http://localhost:${port}/demo/`;
    // The gateway listens before it is connected to ejabberd.
    await until(async () => (await BoshSession.create(instance.gatewayUrl)).creation.status === 200);
    browser = await chromium.launch({ executablePath: CHROMIUM, args: [...QUIET] });
  });
  after(async () => {
    await browser?.close();
    await instance?.stop();
  });

  const windowOf = (page: Page, person: Person): FrameLocator => page.frameLocator(`iframe[title=${person}]`);

  for (const [over, name, colorScheme] of [
    ['websocket', 'WebSocket', 'light'],
    ['bosh', 'BOSH', 'dark'],
  ] as const) {
    it(`has alice and bob chat over ${name}, a click away`, async () => {
      const page = await browser.newPage({ colorScheme, viewport: { width: 1100, height: 600 } });
      const wrong: string[] = [];
      page.on('pageerror', (error) => wrong.push(error.message));
      page.on('console', (line) => line.type() === 'error' && wrong.push(line.text()));
      // A look at what it goes over: BOSH alone may be seen as requests.
      const asked: string[] = [];
      page.on('request', (request) => asked.push(new URL(request.url()).pathname));
      page.on('websocket', (socket) => asked.push(new URL(socket.url()).pathname));
      await page.goto(site);
      await page.click(`button[data-over=${over}]`);
      for (const person of PEOPLE) {
        const status = windowOf(page, person).locator('#status');
        await status.filter({ hasText: `is online over ${name}` }).waitFor({ timeout: 60_000 });
      }
      for (const [person, text] of TALK) {
        const area = windowOf(page, person).locator('textarea.chat-textarea');
        await area.fill(text);
        await area.press('Enter');
        for (const reader of PEOPLE) {
          const said = windowOf(page, reader).locator('.chat-msg__text', { hasText: text });
          await said.waitFor({ timeout: 60_000 });
        }
      }
      if (SCREENSHOTS) await picture(page, join(SCREENSHOTS, `demo-${colorScheme}.png`));
      assert.deepEqual(wrong, []);
      const elsewhere = asked.filter((path) => !path.startsWith('/demo/'));
      assert.deepEqual([...new Set(elsewhere)], [over === 'bosh' ? '/bosh' : '/ws']);
      assert.equal((await instance.connectedUsers()).length, 2);
      for (const person of PEOPLE) await windowOf(page, person).getByText('Log out').click();
      await until(async () => (await instance.connectedUsers()).length === 0);
      await windowOf(page, 'bob').getByText('Log in over BOSH').waitFor({ timeout: 60_000 });
      await page.close();
    });
  }

  it('has events arrive, sent as the page says', async () => {
    const page = await browser.newPage();
    const wrong: string[] = [];
    page.on('pageerror', (error) => wrong.push(error.message));
    page.on('console', (line) => line.type() === 'error' && wrong.push(line.text()));
    await page.goto(`${site}comet`);
    await page.locator('#state', { hasText: 'listens to 123' }).waitFor({ timeout: 60_000 });
    const [shell = '', ...typed] = ((await page.locator('#shell').textContent()) ?? '').split('\n');
    const expressions = typed.map((line) => line.replace(/^\d+> (.*)\.$/, '$1'));
    // What is pinged behind them has got them.
    const all = [...expressions, `pong = net_adm:ping('${instance.gatewayNode}')`, 'halt()'].join(', ');
    await run('bash', ['-c', `${shell.replace(/^\$ /, '')} -noshell -eval "$1."`, 'bash', all], {
      env: instance.env,
      timeout: 60_000,
    });
    const events = page.locator('#events li');
    await events.filter({ hasText: /^[\d:]+greetingHello$/ }).waitFor({ timeout: 60_000 });
    await events.filter({ hasText: /^[\d:]+Hello World$/ }).waitFor({ timeout: 60_000 });
    await page.reload();
    await page.locator('#state', { hasText: 'listens to 123' }).waitFor({ timeout: 60_000 });
    assert.equal(await events.count(), 2);
    assert.deepEqual(wrong, []);
    await page.close();
  });

  it('is for this machine under its own name alone, and for what is in its folders', async () => {
    const statuses: (string | undefined)[] = [];
    for (const [path, host] of [
      ['/demo/accounts.json', 'localhost'],
      ['/demo/accounts.json', `rebound.example:${port}`],
      ['/demo/../../../package.json', 'localhost'],
      ['/demo/..%2f..%2f..%2fpackage.json', 'localhost'],
      ['/demo/converse/../../package.json', 'localhost'],
      ['/demo', 'localhost'],
    ] as const) {
      statuses.push(/^HTTP\/1.1 (\d+)/.exec(await exchange(get(path, host)))?.[1]);
    }
    assert.deepEqual(statuses, ['200', '421', '404', '404', '404', '308']);
  });

  it('is asked for again where a browser asks on a connection of the gateway', async () => {
    const answers = await exchange(get('/bosh'), get('/demo/'));
    assert.match(answers, /^HTTP\/1.1 200 OK\r\n/);
    assert.match(answers, /This is a BOSH endpoint[^\n]*\n$/);
  });

  it('is none of the gateway itself', async () => {
    await instance.script('gateway.sh', 'stop');
    await instance.startGateway();
    for (const path of ['/demo/', '/demo/index.js', '/demo/accounts.json']) {
      assert.match(await exchange(get(path)), /^HTTP\/1.1 404 /, path);
    }
  });

  /** Sends each when the one before is answered, and resolves with all answers when the other side hangs up. */
  async function exchange(...requests: string[]): Promise<string> {
    const socket = connect(port, '127.0.0.1').setEncoding('utf8');
    let answers = '';
    socket.on('data', (text: string) => {
      answers += text;
      const next = requests.shift();
      if (next) socket.write(next);
    });
    socket.write(requests.shift() ?? '');
    await happens(socket, 'close');
    return answers;
  }
});

const get = (path: string, host = 'localhost'): string => `GET ${path} HTTP/1.1\r\nHost: ${host}\r\n\r\n`;

/** As it looks when nobody is about to write. */
async function picture(page: Page, path: string): Promise<void> {
  await page.locator('header').first().click();
  await page.screenshot({ path });
}
