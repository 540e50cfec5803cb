/** `@xmpp/client` (xmpp.js) as a {@link ChatClient}; it speaks WebSocket alone. */
import { type Client, client, type Element, xml } from '@xmpp/client';
import { WebSocket } from 'ws';
import type { Account } from '../../../scripts/support/instance.js';
import { within } from '../../../scripts/support/within.js';
import { type ChatClient, Inbox, WireTap } from './chat-client.js';

// It takes the browser's, which Node.js has from version 22 on.
Object.assign(globalThis, { WebSocket: globalThis.WebSocket ?? WebSocket });

export class XmppClient implements ChatClient {
  readonly inbox = new Inbox();
  readonly #tap = new WireTap();
  readonly #client: Client;
  readonly jid: string;
  online = false;

  constructor(url: string, { jid, password }: Account) {
    this.jid = jid;
    const [username = '', domain = ''] = jid.split('@');
    this.#client = client({ service: url, domain, username, password });
    this.#client.on('output', (text: string) => this.#tap.outgoing(text));
    this.#client.on('input', (text: string) => this.#tap.incoming(text));
    this.#client.on('element', (element: Element) => this.#tap.incoming(`${element}`));
    this.#client.on('send', (element: Element) => this.#tap.outgoing(`${element}`));
    this.#client.on('stanza', (stanza: Element) => {
      const { from = '', type } = stanza.attrs;
      const body = stanza.getChildText('body');
      if (stanza.name === 'message' && body) this.inbox.message(from, body);
      if (stanza.name === 'presence') this.inbox.presence(from, type === undefined);
    });
    const connected = (): void => {
      this.online = true;
    };
    this.#client.on('online', connected);
    this.#client.streamManagement.on('resumed', connected);
    this.#client.on('disconnect', () => {
      this.online = false;
    });
    this.#client.on('offline', () => this.inbox.end('@xmpp/client: offline'));
    // It connects again whatever it was.
    this.#client.on('error', () => {});
  }

  get mechanism(): string {
    return this.#tap.mechanism;
  }

  get sid(): string {
    return this.#tap.sid;
  }

  async login(): Promise<void> {
    this.inbox.online.clear();
    await within(this.#client.start(), () => "@xmpp/client's session");
  }

  sendPresence(): void {
    this.#send(xml('presence', {}));
  }

  sendMessage(to: string, body: string): void {
    this.#send(xml('message', { to, type: 'chat' }, xml('body', {}, body)));
  }

  /** What its connection does not take is in its queue. */
  #send(element: Element): void {
    this.#client.send(element).catch(() => {});
  }

  async logout(): Promise<void> {
    await within(this.#client.stop(), () => '@xmpp/client: offline');
  }
}

export const xmpp = (url: string, account: Account): ChatClient => new XmppClient(url, account);
