/**
 * One stream over WebSocket (RFC 7395) with stream management (XEP-0198): its life is longer than that of a socket.
 *
 *   new       ── login ──▶ opening
 *   opening   ── 101 ──▶ login; broken, 5xx ──▶ waiting; refused otherwise ──▶ ended
 *   waiting   ── after a pause ──▶ opening; out of patience ──▶ ended
 *   login     ── bound, enabled and present, or resumed ──▶ online; not resumed, refused ──▶ ended; broken ──▶ waiting
 *   online    ── broken ──▶ waiting; <close/>, stream error ──▶ ended; logout ──▶ leaving
 *   leaving   ── <close/>, broken ──▶ ended
 */

import { type Identity, PRESENCE, readJid, readMarks, UNAVAILABLE } from '../load/stanzas.js';
import { PATIENCE_MS, repeatDelay, type Service, type User, type UserListener } from '../load/user.js';
import { WebSocketConnection, type WebSocketOwner } from '../load/websocket-connection.js';
import { LOGIN, readStreamEnd } from '../load/websocket-user.js';
import { ENABLE, REQUEST, StreamManagement } from './stream-management.js';

export interface StreamListener extends UserListener {
  resumed(): void;
  /** The server has what this client acknowledged before the last time that this was told. */
  proven(): void;
}

const CLOSE = "<close xmlns='urn:ietf:params:xml:ns:xmpp-framing'/>";
/** An acknowledgement is asked for so long after something was sent, once for all of it. */
const ASK_MS = 200;
/** It is also asked for so often when nothing is sent, or a connection that died would not be noticed. */
const ASK_IDLE_MS = 15_000;
/** A server that says nothing for so long is given up: longer than it may take to have a stream resumed (15 s). */
const SILENT_MS = 20_000;

export class ResumingUser implements User, WebSocketOwner {
  jid = '';
  requests = 0;
  readonly #service: Service;
  readonly #listener: StreamListener;
  readonly #identity: Identity;
  readonly #management = new StreamManagement();
  #state: 'new' | 'opening' | 'waiting' | 'login' | 'online' | 'leaving' | 'ended' = 'new';
  #connection: WebSocketConnection | undefined;
  /** What is awaited in a login: a text of one of the frames to come. */
  #steps: { readonly frame: string; readonly until: string }[] = [];
  #repeats = 0;
  #hasBeenOnline = false;
  /** Milliseconds. When this try to connect began; the first of them; when an unanswered question was asked, and the last. */
  #since = 0;
  #failingSince: number | undefined;
  #askedAt: number | undefined;
  #lastAsked = 0;
  #asking: NodeJS.Timeout | undefined;
  #done = (): void => {};

  constructor(service: Service, listener: StreamListener, identity: Identity) {
    this.#service = service;
    this.#listener = listener;
    this.#identity = identity;
  }

  get isOnline(): boolean {
    return this.#state === 'online';
  }

  login(): Promise<void> {
    this.#open();
    return this.#untilDone();
  }

  /** Also while there is no connection: it goes out when the stream is resumed. */
  send(stanza: string): void {
    this.#management.sent(stanza);
    if (this.#state !== 'online') return;
    this.#write(stanza);
    this.#asking ??= setTimeout(() => this.#ask(), ASK_MS);
  }

  async logout(): Promise<void> {
    if (this.#state !== 'online') return;
    this.#state = 'leaving';
    this.#since = Date.now();
    this.#write(UNAVAILABLE);
    this.#write(CLOSE);
    await this.#untilDone();
  }

  sweep(now: number): void {
    if (this.#connection === undefined) return;
    const isSilent =
      this.#state === 'online'
        ? this.#askedAt !== undefined && now - this.#askedAt > SILENT_MS
        : now - this.#since > SILENT_MS;
    if (isSilent) {
      this.#connection.close();
      this.broken('no answer');
    } else if (this.#state === 'online' && now - this.#lastAsked > ASK_IDLE_MS) {
      this.#ask();
    }
  }

  opened(): void {
    const { host } = this.#service;
    const [header, , again] = LOGIN.map(({ frame, until }) => ({ frame: frame(host), until }));
    if (header === undefined || again === undefined) throw new Error('a login begins with a header');
    this.#state = 'login';
    this.#steps = [header, { frame: this.#identity.auth, until: '<success' }, again];
    if (this.#management.isEnabled) this.#steps.push({ frame: this.#management.resume, until: '<resumed' });
    else {
      this.#steps.push(
        { frame: this.#identity.bind, until: '<jid>' },
        { frame: ENABLE, until: '<enabled' },
        { frame: PRESENCE, until: '<presence' },
      );
    }
    this.#write(header.frame);
  }

  refused(status: number, retryAfter: number | undefined): void {
    this.#listener.broken(`HTTP ${status} (upgrade)`);
    if (status >= 500) this.#openLater(`HTTP ${status}`, retryAfter);
    else this.#end(`HTTP ${status}`);
  }

  broken(reason: string): void {
    clearTimeout(this.#asking);
    this.#asking = undefined;
    this.#askedAt = undefined;
    if (this.#state === 'leaving') {
      this.#end(undefined);
      return;
    }
    this.#listener.broken(reason);
    this.#openLater(reason, undefined);
  }

  text(frame: string): void {
    const marks = readMarks(frame);
    if (marks.length > 0) {
      this.#listener.arrived(marks);
      this.#listener.ordered(marks);
    }
    this.#management.received(frame);
    const condition = readStreamEnd(frame);
    if (condition !== undefined) this.#end(this.#state === 'leaving' ? undefined : condition);
    else if (frame.startsWith('<r ')) this.#answer();
    else if (frame.startsWith('<a ')) this.#acknowledged(frame);
    else if (this.#state === 'login') this.#advance(frame);
  }

  #advance(frame: string): void {
    const isFailure = frame.startsWith('<failed') || frame.startsWith('<failure');
    if (isFailure) {
      // It may tell how many the server has (§5).
      if (this.#management.isEnabled) this.#accept(frame);
      this.#end(`not ${this.#management.isEnabled ? 'resumed' : 'let in'}`);
      return;
    }
    if (!frame.includes(this.#steps[0]?.until ?? '')) return;
    const done = this.#steps.shift();
    if (done?.until === '<jid>') this.jid = readJid(frame) ?? '';
    if (done?.until === '<enabled') this.#management.enabled(frame);
    if (done?.until === '<resumed') this.#resumed(frame);
    const next = this.#steps[0];
    if (next === undefined) {
      this.#online();
    } else {
      if (next.frame === PRESENCE) this.#management.sent(PRESENCE);
      this.#write(next.frame);
    }
  }

  #resumed(frame: string): void {
    this.#accept(frame);
    for (const stanza of this.#management.unacknowledged) this.#write(stanza);
  }

  #online(): void {
    this.#state = 'online';
    this.#repeats = 0;
    this.#failingSince = undefined;
    if (this.#hasBeenOnline) this.#listener.resumed();
    else this.#listener.online();
    this.#hasBeenOnline = true;
    this.#ask();
    this.#done();
  }

  #ask(): void {
    clearTimeout(this.#asking);
    this.#asking = undefined;
    if (this.#state !== 'online') return;
    this.#lastAsked = Date.now();
    this.#askedAt ??= this.#lastAsked;
    this.#write(REQUEST);
  }

  #answer(): void {
    this.#listener.proven();
    this.#write(this.#management.answer);
  }

  #acknowledged(frame: string): void {
    this.#askedAt = undefined;
    this.#accept(frame);
  }

  #accept(frame: string): void {
    for (const stanza of this.#management.acknowledged(frame)) this.#listener.accepted?.(stanza);
  }

  #write(frame: string): void {
    this.requests += 1;
    this.#connection?.send(frame);
  }

  #open(): void {
    this.#state = 'opening';
    this.#since = Date.now();
    this.#connection = new WebSocketConnection(this.#service.target, this);
  }

  #openLater(reason: string, retryAfter: number | undefined): void {
    this.#connection = undefined;
    const now = Date.now();
    this.#failingSince ??= now;
    if (now - this.#failingSince > PATIENCE_MS) {
      this.#end(reason);
      return;
    }
    this.#state = 'waiting';
    setTimeout(
      () => {
        if (this.#state === 'waiting') this.#open();
      },
      repeatDelay(this.#repeats, retryAfter),
    );
    this.#repeats += 1;
  }

  #end(reason: string | undefined): void {
    const wasOnline = this.#hasBeenOnline;
    this.#state = 'ended';
    clearTimeout(this.#asking);
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
