/** stanza as a {@link ChatClient}. */
import { once } from 'node:events';
import { type Agent, createClient } from 'stanza';
import type { Account } from '../../../scripts/support/instance.js';
import { type ChatClient, Inbox, WireTap } from './chat-client.js';

class StanzaClient implements ChatClient {
  readonly inbox = new Inbox();
  readonly #tap = new WireTap();
  readonly #agent: Agent;
  readonly jid: string;
  online = false;

  constructor(url: string, account: Account) {
    this.jid = account.jid;
    // Stream management (XEP-0198) is for transports that cannot acknowledge; BOSH does, and with both ejabberd ends a
    // session with an <r/> that stanza trips over.
    this.#agent = createClient({
      ...account,
      transports: { bosh: url, websocket: false },
      useStreamManagement: false,
    });
    this.#agent.on('raw:outgoing', (xml) => this.#tap.outgoing(xml));
    this.#agent.on('raw:incoming', (xml) => this.#tap.incoming(xml));
    this.#agent.on('message', (message) => {
      if (message.body) this.inbox.message(message.from ?? '', message.body);
    });
    this.#agent.on('presence', (presence) =>
      this.inbox.presence(presence.from ?? '', presence.type === undefined),
    );
    this.#agent.on('session:started', () => {
      this.online = true;
    });
    this.#agent.on('disconnected', () => {
      this.online = false;
      this.inbox.end('stanza: disconnected');
    });
  }

  get mechanism(): string {
    return this.#tap.mechanism;
  }

  get sid(): string {
    return this.#tap.sid;
  }

  async login(): Promise<void> {
    this.inbox.online.clear();
    const started = once(this.#agent, 'session:started');
    const refused = Promise.race([once(this.#agent, 'auth:failed'), once(this.#agent, 'disconnected')]);
    this.#agent.connect();
    await Promise.race([
      started,
      refused.then(() => {
        throw new Error('stanza: no session');
      }),
    ]);
  }

  sendPresence(): void {
    this.#agent.sendPresence();
  }

  sendMessage(to: string, body: string): void {
    this.#agent.sendMessage({ to, type: 'chat', body });
  }

  async logout(): Promise<void> {
    const disconnected = once(this.#agent, 'disconnected');
    this.#agent.disconnect();
    await disconnected;
  }
}

export const stanza = (url: string, account: Account): ChatClient => new StanzaClient(url, account);
