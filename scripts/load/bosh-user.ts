/**
 * One user of a BOSH server: logs in, then keeps one request held and answers every response with the
 * next request. While one is held, what is to be sent goes on a second connection, closed again when it stays idle.
 */

import * as bosh from './bosh-body.js';
import { HttpConnection } from './http-connection.js';
import type { HttpResponse } from './http-response.js';
import { ANONYMOUS, type Identity, type Mark, readJid, readMarks } from './stanzas.js';
import {
  JUST_CLOSED_MS,
  OVERDUE_SECONDS,
  PATIENCE_MS,
  repeatDelay,
  type Service,
  type User,
  type UserListener,
} from './user.js';

/** Until its answer is the next in the order of rids. */
interface OpenRequest {
  readonly text: string;
  /** Milliseconds. */
  since: number;
  /** When it failed for the first time. */
  failedSince: number | undefined;
  repeats: number;
  /** `undefined` while it waits to be repeated. */
  connection: HttpConnection | undefined;
  answer: { readonly body: string; readonly marks: readonly Mark[] } | undefined;
}

/** The one whose answer tells the user's JID. */
const JID_STEP = 3;
/** In one request, for servers limit the size of a body. */
const MAX_STANZAS = 100;
/** XEP-0124 §11: hold + 1. */
const REQUESTS = 2;
/** Requests behind one that broke, itself among them: servers keep few answers for repeats (§14.3). */
const WINDOW = 5;
const IDLE_MS = 5_000;

export class BoshUser implements User {
  /** Full JID, once online. */
  jid = '';
  /** Requests sent, repeats included. */
  requests = 0;
  readonly #service: Service;
  readonly #listener: UserListener;
  readonly #identity: Identity;
  /** In the order of their rids. */
  readonly #open: OpenRequest[] = [];
  /** Without a request; the latest since `#idleSince`. */
  readonly #idle: HttpConnection[] = [];
  #idleSince = 0;
  /** `leaving` until the terminating request is sent, then `left`. */
  #state: 'new' | 'login' | 'online' | 'leaving' | 'left' | 'ended' = 'new';
  #step = 0;
  #rid = 1_000 + Math.floor(Math.random() * 1e9);
  #sid = '';
  /** Stanzas to be sent. */
  #out: string[] = [];
  /** Somebody waits for the login or the logout. */
  #done = (): void => {};

  constructor(service: Service, listener: UserListener, identity = ANONYMOUS) {
    this.#service = service;
    this.#listener = listener;
    this.#identity = identity;
  }

  get isOnline(): boolean {
    return this.#state === 'online';
  }

  /** Resolves when it is online or has failed. */
  login(): Promise<void> {
    this.#state = 'login';
    this.#nextStep();
    return this.#untilDone();
  }

  send(stanza: string): void {
    this.#out.push(stanza);
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
    if (this.#idle.length > 0 && now - this.#idleSince >= IDLE_MS) this.#closeIdle();
    const { wait, overdue = OVERDUE_SECONDS } = this.#service;
    for (const { connection, since } of this.#open) {
      if (connection === undefined || now - since < (wait + overdue) * 1000) continue;
      connection.close();
      this.broken(connection, new Error('no answer'));
    }
  }

  answered(connection: HttpConnection, { status, body, retryAfter, keepAlive }: HttpResponse): void {
    const request = this.#open.find((open) => open.connection === connection);
    if (request === undefined) throw new Error('an answer that nobody asked for');
    request.connection = undefined;
    if (keepAlive) {
      this.#idle.push(connection);
      this.#idleSince = Date.now();
    } else {
      connection.close();
    }
    if (status === 200) {
      request.answer = { body, marks: readMarks(body) };
      if (bosh.readEnd(body) === undefined) this.#listener.accepted?.(request.text);
      if (request.answer.marks.length > 0) this.#listener.arrived(request.answer.marks);
      this.#takeAnswers();
    } else if (status >= 500) {
      this.#putOff(request, `HTTP ${status}`, retryAfter);
    } else {
      this.#end(`HTTP ${status}`);
    }
  }

  broken(connection: HttpConnection, error: NodeJS.ErrnoException | undefined): void {
    const idle = this.#idle.indexOf(connection);
    if (idle >= 0) this.#idle.splice(idle, 1);
    const request = this.#open.find((open) => open.connection === connection);
    if (request === undefined || this.#state === 'ended') return;
    request.connection = undefined;
    if (connection.isReused && Date.now() - request.since < JUST_CLOSED_MS) {
      this.#closeIdle();
      this.#post(request);
      return;
    }
    this.#putOff(request, error?.code ?? error?.message ?? 'connection closed', undefined);
  }

  /** XEP-0124 §14.2: answers count in the order of their requests, whichever connection is faster. */
  #takeAnswers(): void {
    for (let next = this.#open[0]; next?.answer !== undefined; next = this.#open[0]) {
      this.#open.shift();
      const { body, marks } = next.answer;
      if (marks.length > 0) this.#listener.ordered(marks);
      const condition = bosh.readEnd(body);
      if (condition !== undefined) {
        this.#end(this.#state === 'left' ? undefined : condition);
        return;
      }
      if (this.#state === 'login') this.#advance(body);
    }
    this.#ask();
  }

  #advance(answer: string): void {
    if (this.#step === 0) this.#sid = bosh.readSid(answer) ?? this.#sid;
    if (!answer.includes(bosh.LOGIN[this.#step]?.until ?? '')) return;
    if (this.#step === JID_STEP) this.jid = readJid(answer) ?? '';
    this.#step += 1;
    if (!this.#nextStep()) {
      this.#state = 'online';
      this.#listener.online();
      this.#done();
    }
  }

  /** False where the login is through. */
  #nextStep(): boolean {
    const { host, wait } = this.#service;
    const identity = this.#identity;
    const step = bosh.LOGIN[this.#step];
    if (step === undefined) return false;
    if (this.#step > 0) this.#rid += 1;
    this.#request(step.request(this.#rid, this.#sid, host, wait, identity));
    return true;
  }

  /** Sends what waits as soon as a request may, and an empty one where none is open. */
  #ask(): void {
    if (this.#state === 'left' || this.#state === 'ended') return;
    let unanswered = 0;
    for (const { answer } of this.#open) if (answer === undefined) unanswered += 1;
    const isLeaving = this.#state === 'leaving';
    if (this.#open.length >= WINDOW || unanswered >= REQUESTS) return;
    if (this.#out.length === 0 && unanswered > 0 && !isLeaving) return;
    this.#rid += 1;
    if (isLeaving) {
      this.#state = 'left';
      this.#request(bosh.terminateBody(this.#rid, this.#sid));
    } else {
      this.#request(bosh.body(this.#rid, this.#sid, this.#out.splice(0, MAX_STANZAS).join('')));
    }
  }

  /** The request of the present rid. */
  #request(text: string): void {
    const request: OpenRequest = {
      text,
      since: 0,
      failedSince: undefined,
      repeats: 0,
      connection: undefined,
      answer: undefined,
    };
    this.#open.push(request);
    this.#post(request);
  }

  #post(request: OpenRequest): void {
    request.connection = this.#idle.pop() ?? new HttpConnection(this.#service.target, this);
    request.since = Date.now();
    this.requests += 1;
    request.connection.post(request.text);
  }

  /** XEP-0124 §14.3: the very same request is sent again, and the server answers it as it did, or would have. */
  #putOff(request: OpenRequest, reason: string, retryAfter: number | undefined): void {
    const now = Date.now();
    request.failedSince ??= now;
    if (this.#sid === '' && reason === 'HTTP 503') this.#listener.refused();
    else this.#listener.broken(reason);
    if (now - request.failedSince > PATIENCE_MS) {
      this.#end(reason);
      return;
    }
    const delay = repeatDelay(request.repeats, retryAfter);
    request.repeats += 1;
    setTimeout(() => {
      if (this.#state !== 'ended') this.#post(request);
    }, delay);
  }

  #closeIdle(): void {
    for (const connection of this.#idle) connection.close();
    this.#idle.length = 0;
  }

  #end(reason: string | undefined): void {
    const wasOnline = this.#state === 'online' || this.#state === 'leaving' || this.#state === 'left';
    this.#state = 'ended';
    for (const { connection } of this.#open) connection?.close();
    this.#open.length = 0;
    this.#closeIdle();
    this.#listener.ended(wasOnline, reason);
    this.#done();
  }

  #untilDone(): Promise<void> {
    return new Promise((resolve) => {
      this.#done = resolve;
    });
  }
}
