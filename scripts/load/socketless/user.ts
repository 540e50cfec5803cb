/**
 * A user of the gateway without a socket: plays the HTTP front's part for its own exchanges. It logs in anonymously,
 * then keeps one request held, and answers every response with the next request.
 */

import type { Gateway } from '../../../src/gateway/gateway.js';
import type { ClientInfo } from '../../../src/gateway/meta.js';
import type { HttpExchange } from '../../../src/gateway/ports.js';
import * as bosh from '../bosh-body.js';
import { type Mark, readJid, readMarks } from '../stanzas.js';

export interface Crowd {
  readonly gateway: Pick<Gateway, 'request'>;
  /** The virtual host, and the seconds that a request may be held. */
  readonly host: string;
  readonly wait: number;
  online(user: SocketlessUser): void;
  arrived(marks: readonly Mark[]): void;
  ended(reason: string): void;
}

const CLIENT: ClientInfo = {
  ip: '127.0.0.1',
  port: 0,
  secure: true,
  path: '/bosh',
  origin: 'https://chat.example.org',
  userAgent: 'Mozilla/5.0',
};

/** The one whose answer tells the user's JID. */
const JID_STEP = 3;
const FIRST_RID = 1_000;

export class SocketlessUser implements HttpExchange {
  /** Full JID, once bound; only of those that are asked to keep it. */
  jid = '';
  readonly #crowd: Crowd;
  readonly #keepsJid: boolean;
  #sid = '';
  #rid = FIRST_RID;
  #step = 0;
  /** Requests without an answer. */
  #open = 0;

  constructor(crowd: Crowd, keepsJid: boolean) {
    this.#crowd = crowd;
    this.#keepsJid = keepsJid;
  }

  login(): void {
    this.#nextStep();
  }

  send(stanza: string): void {
    this.#rid += 1;
    this.#post(bosh.body(this.#rid, this.#sid, stanza));
  }

  answer(status: number, _headers: unknown, body: Buffer): void {
    this.#open -= 1;
    const text = body.toString('latin1');
    const end = status === 200 ? bosh.readEnd(text) : `HTTP ${status}`;
    if (end !== undefined) {
      this.#crowd.ended(end);
      return;
    }
    if (this.#step < bosh.LOGIN.length) {
      this.#advance(text);
    } else {
      const marks = readMarks(text);
      if (marks.length > 0) this.#crowd.arrived(marks);
    }
    if (this.#open === 0) this.send('');
  }

  #advance(text: string): void {
    if (this.#step === 0) this.#sid = bosh.readSid(text) ?? '';
    if (!text.includes(bosh.LOGIN[this.#step]?.until ?? '')) return;
    if (this.#step === JID_STEP && this.#keepsJid) this.jid = readJid(text) ?? '';
    this.#step += 1;
    if (this.#step < bosh.LOGIN.length) {
      this.#rid += 1;
      this.#nextStep();
      return;
    }
    // The request that from now on is held, before it counts as online.
    this.send('');
    this.#crowd.online(this);
  }

  #nextStep(): void {
    const { host, wait } = this.#crowd;
    this.#post(bosh.LOGIN[this.#step]?.request(this.#rid, this.#sid, host, wait) ?? '');
  }

  #post(body: string): void {
    this.#open += 1;
    this.#crowd.gateway.request(this, { body: Buffer.from(body, 'latin1'), client: CLIENT });
  }
}
