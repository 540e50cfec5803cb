/**
 * What the scenarios need of a chat client, so that the same scenario runs with each, over BOSH or WebSocket.
 * Each client is used as its makers publish it; the adapters only translate. Over WebSocket (a URL of `ws:`) they use
 * stream management (XEP-0198), and connect again by themselves.
 */

import type { Account } from '../../../scripts/support/instance.js';
import { PATIENCE_MS } from '../../../scripts/support/within.js';

export interface ChatClient {
  /** Bare JID. */
  readonly jid: string;
  /** Where this client's messages and presences arrive, in order; messages are kept over reconnects. */
  readonly inbox: Inbox;
  /** The SASL mechanism of the latest login, as it went over the wire. */
  readonly mechanism: string;
  /** The BOSH session or the managed stream of the latest login, as the server named it. */
  readonly sid: string;
  /** True from the login until the client itself says that the session is over, and, over WebSocket, while it is connected. */
  readonly online: boolean;
  /** Logs in, and resolves when the session can be used; rejects with what the client reported instead. */
  login(): Promise<void>;
  sendPresence(): void;
  sendMessage(to: string, body: string): void;
  /** Ends the session cleanly; resolves when the client says that it is over. */
  logout(): Promise<void>;
}

export type MakeClient = (url: string, account: Account) => ChatClient;

interface Waiting {
  look(): void;
  giveUp(reason: string): void;
}

/** Messages in the order of arrival, who is online, and a way to wait for both. */
export class Inbox {
  /** As `alice@localhost: hello`. */
  readonly messages: string[] = [];
  /** Who came online, and who went: the latest presence of each bare JID. */
  readonly online = new Set<string>();
  readonly #waiting = new Set<Waiting>();

  message(from: string, body: string): void {
    this.messages.push(`${bare(from)}: ${body}`);
    this.#wake();
  }

  presence(from: string, available: boolean): void {
    this.online[available ? 'add' : 'delete'](bare(from));
    this.#wake();
  }

  /** The session is over, so whoever waits does so in vain. */
  end(reason: string): void {
    for (const { giveUp } of this.#waiting) giveUp(reason);
  }

  /**
   * Resolves as soon as `condition` holds, which is looked at after each arrival; rejects when the session ends, or nothing
   * arrives any more.
   */
  until(condition: () => boolean): Promise<void> {
    return new Promise((resolve, reject) => {
      const end = (settle: () => void): void => {
        clearTimeout(patience);
        this.#waiting.delete(waiting);
        settle();
      };
      const giveUp = (reason: string): void => end(() => reject(new Error(reason)));
      const patience = setTimeout(() => {
        giveUp(`never came: ${condition}, after ${this.messages.length} messages`);
      }, PATIENCE_MS).unref();
      const look = (): void => {
        if (condition()) end(resolve);
        else patience.refresh();
      };
      const waiting: Waiting = { look, giveUp };
      this.#waiting.add(waiting);
      look();
    });
  }

  #wake(): void {
    for (const { look } of [...this.#waiting]) look();
  }
}

/** Reads what the interface asks for off what a client says it exchanges. */
export class WireTap {
  mechanism = '';
  sid = '';

  outgoing(xml: string): void {
    this.mechanism = /<auth(?:enticate)?\b[^>]*\bmechanism=['"]([^'"]+)/.exec(xml)?.[1] ?? this.mechanism;
  }

  incoming(xml: string): void {
    this.sid = /<(?:body\b[^>]*\ssid|enabled\b[^>]*\sid)=['"]([^'"]+)/.exec(xml)?.[1] ?? this.sid;
  }
}

const bare = (jid: string): string => jid.split('/', 1)[0] as string;
