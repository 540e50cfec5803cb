/**
 * One user of a BOSH server: logs in anonymously, then keeps one request held and answers every response with the
 * next request. While one is held, what is to be sent goes on a second connection, closed again when it stays idle.
 */

import * as bosh from './bosh-body.js';
import { HttpConnection, type Target } from './http-connection.js';
import type { HttpResponse } from './http-response.js';

export interface UserListener {
  online(): void;
  messages(marks: readonly bosh.Mark[]): void;
  /** A connection was lost; the open request is repeated on a new one. */
  broken(error: Error | undefined): void;
  /** The session is over. `reason` is undefined where the user logged out. */
  ended(wasOnline: boolean, reason: string | undefined): void;
}

interface OpenRequest {
  readonly text: string;
  readonly since: number;
  tries: number;
}

/** What is sent at each step of a login, and what the answer to it contains. */
const LOGIN = [
  { send: '', until: '<stream:features' },
  { send: bosh.AUTH, until: '<success' },
  { send: 'restart', until: '<stream:features' },
  { send: bosh.BIND, until: '<jid>' },
  { send: bosh.PRESENCE, until: '<presence' },
] as const;

/** XEP-0124 §11: hold + 1. */
const REQUESTS = 2;
const MAX_TRIES = 3;
const REPEAT_MS = 1_000;
const IDLE_MS = 5_000;
/** An answer that does not come this long after the server's `wait` is not awaited any more. */
const OVERDUE_MS = (bosh.WAIT_SECONDS + 30) * 1_000;

export class BoshUser {
  /** Full JID, once online. */
  jid = '';
  /** Requests sent, repeats included. */
  requests = 0;
  readonly #target: Target;
  readonly #host: string;
  readonly #listener: UserListener;
  readonly #open = new Map<HttpConnection, OpenRequest>();
  /** With no request on them, each since then. */
  readonly #idle = new Map<HttpConnection, number>();
  /** `leaving` until the terminating request is sent, then `left`. */
  #state: 'new' | 'login' | 'online' | 'leaving' | 'left' | 'ended' = 'new';
  #step = 0;
  #rid = 1_000 + Math.floor(Math.random() * 1e9);
  #sid = '';
  #out = '';
  /** Somebody waits for the login or the logout. */
  #done = (): void => {};

  constructor(target: Target, host: string, listener: UserListener) {
    this.#target = target;
    this.#host = host;
    this.#listener = listener;
  }

  get isOnline(): boolean {
    return this.#state === 'online';
  }

  /** Resolves when it is online or has failed. */
  login(): Promise<void> {
    this.#state = 'login';
    this.#post(bosh.createBody(this.#rid, this.#host));
    return this.#untilDone();
  }

  send(stanza: string): void {
    this.#out += stanza;
    this.#ask();
  }

  /** Resolves when the session is over. */
  async logout(): Promise<void> {
    if (this.#state !== 'online') return;
    this.#state = 'leaving';
    this.#ask();
    await this.#untilDone();
  }

  /** To be called every few seconds: closes the connection that is not needed, gives up overdue requests. */
  sweep(now: number): void {
    for (const [connection, since] of this.#idle) {
      if (now - since < IDLE_MS) continue;
      this.#idle.delete(connection);
      connection.close();
    }
    for (const [connection, request] of this.#open) {
      if (now - request.since < OVERDUE_MS) continue;
      connection.close();
      this.broken(connection, new Error('no answer'));
    }
  }

  answered(connection: HttpConnection, { status, body, keepAlive }: HttpResponse): void {
    this.#open.delete(connection);
    if (keepAlive) this.#idle.set(connection, Date.now());
    else connection.close();
    if (status !== 200) {
      this.#end(`HTTP ${status}`);
      return;
    }
    const condition = bosh.readEnd(body);
    const marks = bosh.readMarks(body);
    if (marks.length > 0) this.#listener.messages(marks);
    if (condition !== undefined) {
      this.#end(this.#state === 'left' ? undefined : condition);
      return;
    }
    if (this.#state === 'login') this.#advance(body);
    this.#ask();
  }

  broken(connection: HttpConnection, error: Error | undefined): void {
    this.#idle.delete(connection);
    const request = this.#open.get(connection);
    this.#open.delete(connection);
    if (request === undefined || this.#state === 'ended') return;
    this.#listener.broken(error);
    if (request.tries >= MAX_TRIES) {
      this.#end(error?.message ?? 'connection closed');
      return;
    }
    // Held in place meanwhile by a key of its own, so that no request beyond `requests` is sent.
    setTimeout(() => {
      if (this.#state === 'ended') return;
      this.#open.delete(connection);
      this.#post(request.text, request.tries + 1);
    }, REPEAT_MS);
    this.#open.set(connection, { ...request, since: Date.now() });
  }

  #advance(answer: string): void {
    if (this.#step === 0) this.#sid = bosh.readSid(answer) ?? this.#sid;
    if (!answer.includes(LOGIN[this.#step]?.until ?? '')) return;
    if (this.#step === 3) this.jid = bosh.readJid(answer) ?? '';
    this.#step += 1;
    const next = LOGIN[this.#step];
    if (next === undefined) {
      this.#state = 'online';
      this.#listener.online();
      this.#done();
    } else if (next.send === 'restart') {
      this.#rid += 1;
      this.#post(bosh.restartBody(this.#rid, this.#sid, this.#host));
    } else {
      this.#out += next.send;
    }
  }

  /** Sends what waits as soon as a request may, and an empty one where none is open. */
  #ask(): void {
    const isLeaving = this.#state === 'leaving';
    if (this.#state === 'left' || this.#state === 'ended' || this.#open.size >= REQUESTS) return;
    if (this.#out === '' && this.#open.size > 0 && !isLeaving) return;
    this.#rid += 1;
    if (isLeaving) {
      this.#state = 'left';
      this.#post(bosh.terminateBody(this.#rid, this.#sid));
    } else {
      this.#post(bosh.body(this.#rid, this.#sid, this.#out));
      this.#out = '';
    }
  }

  #post(text: string, tries = 1): void {
    let connection = this.#idle.keys().next().value;
    if (connection === undefined) connection = new HttpConnection(this.#target, this);
    else this.#idle.delete(connection);
    this.#open.set(connection, { text, since: Date.now(), tries });
    this.requests += 1;
    connection.post(text);
  }

  #end(reason: string | undefined): void {
    const wasOnline = this.#state === 'online' || this.#state === 'leaving' || this.#state === 'left';
    this.#state = 'ended';
    for (const connection of [...this.#open.keys(), ...this.#idle.keys()]) connection.close();
    this.#open.clear();
    this.#idle.clear();
    this.#listener.ended(wasOnline, reason);
    this.#done();
  }

  #untilDone(): Promise<void> {
    return new Promise((resolve) => {
      this.#done = resolve;
    });
  }
}
