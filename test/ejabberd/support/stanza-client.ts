/** stanza as a {@link ChatClient}. */
import { once } from 'node:events';
import { type Agent, createClient } from 'stanza';
import type { Account } from '../../../scripts/support/instance.js';
import { within } from '../../../scripts/support/within.js';
import { type ChatClient, Inbox, WireTap } from './chat-client.js';

/** Those of its promises for which nobody can catch anything: it asks for an acknowledgement as its socket closes. */
const isItsOwn = (reason: unknown): boolean =>
  reason instanceof Error &&
  (reason.message === 'Socket closed' || (reason as NodeJS.ErrnoException).code === 'ERR_STREAM_DESTROYED');

function letItReject(): void {
  const others = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection');
  process.on('unhandledRejection', (reason, promise) => {
    if (!isItsOwn(reason)) for (const other of others) other(reason, promise);
  });
}

class StanzaClient implements ChatClient {
  readonly inbox = new Inbox();
  readonly #tap = new WireTap();
  readonly #agent: Agent;
  readonly jid: string;
  readonly #managed: boolean;
  #wanted = false;
  online = false;

  constructor(url: string, account: Account) {
    this.jid = account.jid;
    // Stream management (XEP-0198) is for transports that cannot acknowledge; BOSH does, and with both ejabberd ends a
    // session with an <r/> that stanza trips over.
    this.#managed = url.startsWith('ws');
    this.#agent = createClient({
      ...account,
      transports: this.#managed ? { bosh: false, websocket: url } : { bosh: url, websocket: false },
      useStreamManagement: this.#managed,
      autoReconnect: this.#managed,
      maxReconnectBackoff: 1,
    });
    if (this.#managed) {
      letItReject();
      // What it writes while its socket closes makes it overlook that; this is how it notices all the same.
      this.#agent.enableKeepAlive({ interval: 2, timeout: 2 });
      // It forgets what it sends again, and takes the server's word that this came as one for what it sent later: that would be
      // lost when the connection breaks once more.
      const { sm } = this.#agent;
      sm.on('resend', ({ kind, stanza }) => sm.unacked.push([kind, stanza]));
    }
    this.#agent.on('raw:outgoing', (xml) => this.#tap.outgoing(xml));
    this.#agent.on('raw:incoming', (xml) => this.#tap.incoming(xml));
    this.#agent.on('message', (message) => {
      if (message.body) this.inbox.message(message.from ?? '', message.body);
    });
    this.#agent.on('presence', (presence) =>
      this.inbox.presence(presence.from ?? '', presence.type === undefined),
    );
    for (const event of ['session:started', 'stream:management:resumed'] as const) {
      this.#agent.on(event, () => {
        this.online = true;
        this.#wanted = this.#managed;
      });
    }
    this.#agent.on('--transport-disconnected', () => {
      this.online = false;
    });
    this.#agent.on('disconnected', () => {
      this.online = false;
      if (!this.#wanted) this.inbox.end('stanza: disconnected');
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
    const failed = refused.then(() => {
      throw new Error('stanza: no session');
    });
    await within(Promise.race([started, failed]), () => "stanza's session");
  }

  sendPresence(): void {
    this.#agent.sendPresence();
  }

  sendMessage(to: string, body: string): void {
    this.#agent.sendMessage({ to, type: 'chat', body });
  }

  async logout(): Promise<void> {
    this.#wanted = false;
    const disconnected = once(this.#agent, 'disconnected');
    this.#agent.disconnect();
    await within(disconnected, () => 'stanza: disconnected');
  }
}

export const stanza = (url: string, account: Account): ChatClient => new StanzaClient(url, account);
