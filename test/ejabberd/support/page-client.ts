/** A web client in a page of a real browser, as a {@link ChatClient}: the page tells what happens, and is told what to send. */
import type { Browser, Page } from 'playwright-core';
import type { Account } from '../../../scripts/support/instance.js';
import { until } from '../../support/until.js';
import { type ChatClient, Inbox } from './chat-client.js';

export interface Came {
  readonly text: string;
  /** Over BOSH, of the request that it answers. */
  readonly rid: number;
}

export class PageClient implements ChatClient {
  readonly jid: string;
  readonly inbox = new Inbox();
  readonly mechanism = '';
  /** How its streams began: `new` with a login, or `resumed`. */
  readonly beginnings: string[] = [];
  /** Messages as the client took them off the wire; it may tell of them in another order. */
  readonly came: Came[] = [];
  /** What the browser would show a developer: requests that failed or were refused, errors of scripts. */
  readonly errors: string[] = [];
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
    await client.#page.exposeFunction('report', (event: string, from: string, text: string, rid = 0) =>
      client.#take(event, from, text, rid),
    );
    client.#listen(client.#page, new URL(url).host);
    await client.#page.addInitScript(WATCH);
    await client.#page.goto(`${address}#${encodeURIComponent(JSON.stringify({ url, ...account }))}`);
    return client;
  }

  /** @param host of the gateway, which alone is of interest */
  #listen(page: Page, host: string): void {
    const note = (what: string): void => {
      this.errors.push(what);
      if (process.env.PAGES) console.log(this.jid, what);
    };
    page.on('pageerror', (error) => note(error.message));
    page.on('requestfailed', (request) => {
      if (new URL(request.url()).host === host) note(`${request.url()}: ${request.failure()?.errorText}`);
    });
    page.on('response', (response) => {
      if (new URL(response.url()).host === host && response.status() >= 400)
        note(`${response.url()}: ${response.status()}`);
    });
    page.on('websocket', (socket) => {
      socket.on('socketerror', (error) => note(`${socket.url()}: ${error}`));
      if (process.env.PAGES) {
        const log =
          (what: string) =>
          ({ payload }: { payload: string | Buffer }) =>
            console.log(Date.now() % 1e7, this.jid, what, String(payload).slice(0, 220));
        socket.on('framesent', log('>'));
        socket.on('framereceived', log('<'));
        socket.on('close', () => console.log(Date.now() % 1e7, this.jid, 'closed'));
      }
    });
    if (process.env.PAGES) page.on('console', (line) => console.log(this.jid, line.text().slice(0, 300)));
  }

  get logins(): number {
    return this.beginnings.filter((how) => how === 'new').length;
  }

  get resumed(): number {
    return this.beginnings.length - this.logins;
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
    void this.trySending(to, body);
  }

  /** False where the page says by then that it is not connected. */
  trySending(to: string, body: string): Promise<boolean> {
    return this.#page
      .evaluate<boolean>(`sendChat(${JSON.stringify(to)}, ${JSON.stringify(body)})`)
      .catch(() => false);
  }

  async logout(): Promise<void> {
    await this.#page.context().close();
  }

  #take(event: string, from: string, text: string, rid: number): void {
    if (event === 'message') {
      this.inbox.message(from, text);
      return;
    }
    if (event === 'came') {
      this.came.push({ text: `${from.split('/', 1)[0]}: ${text}`, rid });
      return;
    }
    this.online = event === 'online';
    if (event !== 'online') return;
    this.sid = from;
    this.beginnings.push(text);
  }
}

/** Of a connection of strophe.js, which converse.js has, too. Over BOSH it takes a whole body, over WebSocket each stanza. */
const WATCH = `
  window.watch = (connection) => {
    const take = connection._dataRecv;
    let rid;
    connection._dataRecv = (request, ...more) => {
      rid = request.rid;
      return take.call(connection, request, ...more);
    };
    connection.xmlInput = (element) => {
      for (const message of element.localName === 'body' ? element.children : [element]) {
        const body = message.localName === 'message' && [...message.children].find(({ localName }) => localName === 'body');
        if (body) report('came', message.getAttribute('from'), body.textContent, rid);
      }
    };
  };
`;
