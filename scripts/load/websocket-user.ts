/**
 * One user of a WebSocket server (RFC 7395): logs in anonymously, without stream management, so that a connection that
 * breaks ends the session. An upgrade that breaks or is put off is tried again.
 *
 *   new        ── login ──▶ opening
 *   opening    ── 101 ──▶ login; broken, 5xx ──▶ waiting; refused otherwise ──▶ ended
 *   waiting    ── after a pause ──▶ opening; out of patience ──▶ ended
 *   login      ── the last step's answer ──▶ online
 *   online     ── logout ──▶ leaving
 *   login, online, leaving ── <close/>, broken ──▶ ended
 */

import { AUTH, BIND, type Mark, PRESENCE, readJid, readMarks, UNAVAILABLE } from './stanzas.js';
import {
  OVERDUE_SECONDS,
  PATIENCE_MS,
  repeatDelay,
  type Service,
  type User,
  type UserListener,
} from './user.js';
import { WebSocketConnection, type WebSocketOwner } from './websocket-connection.js';

const NAMESPACE = "xmlns='urn:ietf:params:xml:ns:xmpp-framing'";
const open = (host: string): string => `<open ${NAMESPACE} to='${host}' version='1.0' xml:lang='en'/>`;
const CLOSE = `<close ${NAMESPACE}/>`;

/** The steps of a login: the frame of each, and what one of the answers to it contains. */
export const LOGIN: readonly { readonly frame: (host: string) => string; readonly until: string }[] = [
  { frame: open, until: '<stream:features' },
  { frame: () => AUTH, until: '<success' },
  { frame: open, until: '<stream:features' },
  { frame: () => BIND, until: '<jid>' },
  { frame: () => PRESENCE, until: '<presence' },
];
/** The one whose answer tells the user's JID. */
export const JID_STEP = 3;

/** Why the server ends the stream, where this frame does. */
export function readStreamEnd(frame: string): string | undefined {
  if (frame.startsWith('<close')) return 'closed by the server';
  if (!frame.startsWith('<stream:error')) return undefined;
  return /<([a-z-]+) xmlns=['"]urn:ietf:params:xml:ns:xmpp-streams/.exec(frame)?.[1] ?? 'stream error';
}

export class WebSocketUser implements User, WebSocketOwner {
  jid = '';
  requests = 0;
  readonly #service: Service;
  readonly #listener: UserListener;
  #state: 'new' | 'opening' | 'waiting' | 'login' | 'online' | 'leaving' | 'ended' = 'new';
  #connection: WebSocketConnection | undefined;
  #step = 0;
  /** Milliseconds: when the present step of a login or logout began; while it opens, the first try. */
  #since = 0;
  #repeats = 0;
  /** Somebody waits for the login or the logout. */
  #done = (): void => {};

  constructor(service: Service, listener: UserListener) {
    this.#service = service;
    this.#listener = listener;
  }

  get isOnline(): boolean {
    return this.#state === 'online';
  }

  login(): Promise<void> {
    this.#since = Date.now();
    this.#open();
    return this.#untilDone();
  }

  send(stanza: string): void {
    this.requests += 1;
    this.#connection?.send(stanza);
  }

  async logout(): Promise<void> {
    if (this.#state !== 'online') return;
    this.#state = 'leaving';
    this.#since = Date.now();
    this.send(UNAVAILABLE);
    this.send(CLOSE);
    await this.#untilDone();
  }

  sweep(now: number): void {
    if (this.#state === 'online' || this.#connection === undefined) return;
    if (now - this.#since < (this.#service.wait + OVERDUE_SECONDS) * 1000) return;
    this.#connection.close();
    this.broken('no answer');
  }

  opened(): void {
    this.#state = 'login';
    this.#nextStep();
  }

  refused(status: number, retryAfter: number | undefined): void {
    if (status === 503) this.#listener.refused();
    else if (status >= 500) this.#listener.broken(`HTTP ${status}`);
    if (status >= 500) this.#openLater(`HTTP ${status}`, retryAfter);
    else this.#end(`HTTP ${status}`);
  }

  broken(reason: string): void {
    if (this.#state === 'opening') {
      this.#listener.broken(reason);
      this.#openLater(reason, undefined);
    } else {
      this.#end(this.#state === 'leaving' ? undefined : reason);
    }
  }

  text(frame: string): void {
    const marks = readMarks(frame);
    if (marks.length > 0) this.#arrived(marks);
    const condition = readStreamEnd(frame);
    if (condition !== undefined) this.#end(this.#state === 'leaving' ? undefined : condition);
    else if (this.#state === 'login') this.#advance(frame);
  }

  /** On a connection they arrive in their order. */
  #arrived(marks: readonly Mark[]): void {
    this.#listener.arrived(marks);
    this.#listener.ordered(marks);
  }

  #open(): void {
    this.#state = 'opening';
    this.requests += 1;
    this.#connection = new WebSocketConnection(this.#service.target, this);
  }

  #openLater(reason: string, retryAfter: number | undefined): void {
    this.#connection = undefined;
    if (Date.now() - this.#since > PATIENCE_MS) {
      this.#end(reason);
      return;
    }
    this.#state = 'waiting';
    setTimeout(() => this.#open(), repeatDelay(this.#repeats, retryAfter));
    this.#repeats += 1;
  }

  #nextStep(): void {
    this.#since = Date.now();
    this.send(LOGIN[this.#step]?.frame(this.#service.host) ?? '');
  }

  #advance(frame: string): void {
    if (!frame.includes(LOGIN[this.#step]?.until ?? '')) return;
    if (this.#step === JID_STEP) this.jid = readJid(frame) ?? '';
    this.#step += 1;
    if (this.#step < LOGIN.length) {
      this.#nextStep();
      return;
    }
    this.#state = 'online';
    this.#listener.online();
    this.#done();
  }

  #end(reason: string | undefined): void {
    const wasOnline = this.#state === 'online' || this.#state === 'leaving';
    this.#state = 'ended';
    this.#connection?.close();
    this.#connection = undefined;
    this.#listener.ended(wasOnline, reason);
    this.#done();
  }

  #untilDone(): Promise<void> {
    return new Promise((resolve) => {
      this.#done = resolve;
    });
  }
}
