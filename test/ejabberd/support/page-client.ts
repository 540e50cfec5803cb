/** A web client in a page of a real browser, as a {@link ChatClient}: the page tells what happens, and is told what to send. */
import type { Browser, Page } from 'playwright-core';
import type { Account } from '../../../scripts/support/instance.js';
import { until } from '../../support/until.js';
import { type ChatClient, Inbox } from './chat-client.js';

export class PageClient implements ChatClient {
  readonly jid: string;
  readonly inbox = new Inbox();
  readonly mechanism = '';
  /** How its streams began. */
  readonly beginnings: string[] = [];
  sid = '';
  online = false;
  readonly #page: Page;

  private constructor(page: Page, { jid }: Account) {
    this.#page = page;
    this.jid = jid;
  }

  /** @param address of the page, which takes the rest from behind the # */
  static async open(browser: Browser, address: string, url: string, account: Account): Promise<PageClient> {
    const context = await browser.newContext();
    const client = new PageClient(await context.newPage(), account);
    await client.#page.exposeFunction('report', (event: string, from: string, text: string) =>
      client.#take(event, from, text),
    );
    if (process.env.PAGES) {
      client.#page.on('console', (line) => console.log(account.jid, line.text().slice(0, 300)));
      client.#page.on('pageerror', (error) => console.log(account.jid, error.message));
    }
    await client.#page.goto(`${address}#${encodeURIComponent(JSON.stringify({ url, ...account }))}`);
    return client;
  }

  async login(): Promise<void> {
    await until(() => this.online);
  }

  /**
   * As when its user reloads it, `meanwhile` begins when it is gone. What comes in the instant in which a page goes is the
   * client's to keep: it has counted it, and nobody is there to see it.
   */
  async reload(meanwhile: () => Promise<void>): Promise<void> {
    const gone = this.#page.waitForEvent('framenavigated');
    const back = this.#page.reload();
    await gone;
    this.online = false;
    const happening = meanwhile();
    await back;
    await this.login();
    await happening;
  }

  sendPresence(): void {}

  sendMessage(to: string, body: string): void {
    this.#page
      .evaluate(`sendChat(${JSON.stringify(to)}, ${JSON.stringify(body)}) && undefined`)
      .catch(() => {});
  }

  async logout(): Promise<void> {
    await this.#page.context().close();
  }

  #take(event: string, from: string, text: string): void {
    if (event === 'message') {
      this.inbox.message(from, text);
      return;
    }
    this.online = event === 'online';
    if (event !== 'online') return;
    this.sid = from;
    this.beginnings.push(text);
  }
}
