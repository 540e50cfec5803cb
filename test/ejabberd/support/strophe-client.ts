/** Strophe.js as a {@link ChatClient}. */
import './xml-http-request.js';
import { $msg, $pres, Strophe } from 'strophe.js';
import type { Account } from '../../../scripts/support/instance.js';
import { within } from '../../../scripts/support/within.js';
import { until } from '../../support/until.js';
import { type ChatClient, Inbox, WireTap } from './chat-client.js';

Strophe.setLogLevel(Strophe.LogLevel.FATAL);
const { AUTHFAIL, CONNECTED, CONNFAIL, DISCONNECTED } = Strophe.Status;
const endings = new Map<number, string>([
  [AUTHFAIL, 'authentication failed'],
  [CONNFAIL, 'connection failed'],
  [DISCONNECTED, 'disconnected'],
]);

/** The little of a DOM element that is read here (the project is compiled without the DOM's types). */
interface Stanza {
  readonly textContent: string;
  getAttribute(name: string): string | null;
  getElementsByTagName(name: string): ArrayLike<Stanza>;
}

class StropheClient implements ChatClient {
  readonly inbox = new Inbox();
  readonly #tap = new WireTap();
  readonly #account: Account;
  readonly #connection: InstanceType<typeof Strophe.Connection>;
  readonly jid: string;
  online = false;
  /** To be connected again when the connection is lost: that is left to who uses Strophe. */
  #managed = false;
  #wanted = false;
  #again: NodeJS.Timeout | undefined;

  constructor(url: string, account: Account) {
    this.jid = account.jid;
    this.#account = account;
    this.#managed = url.startsWith('ws');
    this.#connection = new Strophe.Connection(url, { enableStreamManagement: this.#managed });
    this.#connection.rawInput = (xml: string) => this.#tap.incoming(xml);
    this.#connection.rawOutput = (xml: string) => {
      this.#tap.outgoing(xml);
      // Over BOSH it gives up after five errors, however soon they come: a busy machine takes longer to start a gateway.
      const { _proto } = this.#connection;
      if ('errors' in _proto) _proto.errors = 0;
    };
  }

  get mechanism(): string {
    return this.#tap.mechanism;
  }

  get sid(): string {
    return this.#tap.sid;
  }

  login(): Promise<void> {
    this.#connection.reset();
    this.inbox.online.clear();
    return within(this.#connect(), () => "Strophe's session");
  }

  #connect(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#connection.connect(
        this.#account.jid,
        this.#account.password,
        (status: number, condition: string | null) => {
          this.online = status === CONNECTED || (this.online && !endings.has(status));
          if (status === CONNECTED) {
            this.#wanted = this.#managed;
            this.#listen();
            resolve();
          }
          const ending = endings.get(status);
          if (ending === undefined) return;
          if (this.#wanted && status !== AUTHFAIL) {
            this.#again ??= setTimeout(() => {
              this.#again = undefined;
              void this.#connect();
            }, 500);
            return;
          }
          const reason = `Strophe: ${ending} ${condition ?? ''}`;
          this.inbox.end(reason);
          reject(new Error(reason));
        },
      );
    });
  }

  #listen(): void {
    this.#connection.addHandler(
      (message: Stanza) => {
        const body = message.getElementsByTagName('body')[0]?.textContent;
        if (body) this.inbox.message(message.getAttribute('from') ?? '', body);
        return true;
      },
      null,
      'message',
      null,
    );
    this.#connection.addHandler(
      (presence: Stanza) => {
        this.inbox.presence(presence.getAttribute('from') ?? '', presence.getAttribute('type') === null);
        return true;
      },
      null,
      'presence',
      null,
    );
  }

  sendPresence(): void {
    this.#connection.send($pres());
  }

  sendMessage(to: string, body: string): void {
    this.#connection.send($msg({ to, type: 'chat' }).c('body').t(body));
  }

  async logout(): Promise<void> {
    this.#wanted = false;
    this.#connection.disconnect('logout');
    await until(() => !this.online);
  }
}

export const strophe = (url: string, account: Account): ChatClient => new StropheClient(url, account);
