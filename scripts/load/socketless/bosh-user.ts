/** One over BOSH: keeps one request held, and answers every response with the next request. */

import type { Gateway } from '../../../src/gateway/gateway.js';
import type { HttpExchange } from '../../../src/gateway/ports.js';
import * as bosh from '../bosh-body.js';
import { readJid, readMarks } from '../stanzas.js';
import { type Crowd, clientAt, type SocketlessUser } from './user.js';

const CLIENT = clientAt('/bosh');
/** The one whose answer tells the user's JID. */
const JID_STEP = 3;
const FIRST_RID = 1_000;

export class SocketlessBoshUser implements SocketlessUser, HttpExchange {
  jid = '';
  readonly #gateway: Pick<Gateway, 'request'>;
  readonly #crowd: Crowd;
  /** Seconds that a request may be held. */
  readonly #wait: number;
  readonly #keepsJid: boolean;
  #sid = '';
  #rid = FIRST_RID;
  #step = 0;
  /** Requests without an answer. */
  #open = 0;

  constructor(gateway: Pick<Gateway, 'request'>, crowd: Crowd, wait: number, keepsJid: boolean) {
    this.#gateway = gateway;
    this.#wait = wait;
    this.#crowd = crowd;
    this.#keepsJid = keepsJid;
  }

  login(): void {
    this.#nextStep();
  }

  say(stanza: string): void {
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
    if (this.#open === 0) this.say('');
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
    this.say('');
    this.#crowd.online(this);
  }

  #nextStep(): void {
    const step = bosh.LOGIN[this.#step];
    this.#post(step?.request(this.#rid, this.#sid, this.#crowd.host, this.#wait) ?? '');
  }

  #post(body: string): void {
    this.#open += 1;
    this.#gateway.request(this, { body: Buffer.from(body, 'latin1'), client: CLIENT });
  }
}
