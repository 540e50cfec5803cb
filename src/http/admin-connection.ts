/**
 * One connection of the admin port, from a stranger's to a publisher's. A stranger's is for one request and its answer: so nobody can have
 * more made, or kept for him, than one page, whatever he sends and however little he reads. Who has shown the token in a request may send
 * the next one behind its answer; each has a parser of its own, thrown away whole.
 *
 *   event    receiving  answering  over
 *   request  answering  –          –
 *   goesOn   –          receiving  –
 *   last     –          over       –
 *   end      over       ·          ·
 *
 * A dot: nothing changes; a dash: does not happen. request: it is whole, or refused. last: its answer ends the connection; end: its sender
 * ends his side, and what he has begun is cut.
 */

import type { Socket } from 'node:net';
import { encodeAdminResponse } from './admin-response.js';
import { ofOperator } from './header-names.js';
import { Llhttp } from './llhttp.js';
import { RequestParser } from './request-parser.js';
import { CLOSE, CONTINUE, keepAlive, type Response } from './response.js';

export type AdminPhase = 'receiving' | 'answering' | 'over';
export type AdminEvent = 'request' | 'goesOn' | 'last' | 'end';

/** What is not in a row changes nothing. */
export const ADMIN_CONNECTION: Readonly<
  Record<AdminEvent, Readonly<Partial<Record<AdminPhase, AdminPhase>>>>
> = {
  request: { receiving: 'answering' },
  goesOn: { answering: 'receiving' },
  last: { answering: 'over' },
  end: { receiving: 'over' },
};

/** The port that it is a connection of. */
export interface AdminHost {
  /** Whether more is taken of who sends this head: a body of `MAX_TRUSTED`, and further requests. */
  trusts(head: RequestParser): boolean;
  /** @returns `undefined`: the socket has found its answer itself */
  answer(request: RequestParser, socket: Socket): Promise<Response | undefined>;
  /** Whether it may stay, for a slow answer and for another request. Asked until it may. */
  keep(socket: Socket): boolean;
}

/** Bytes that a stranger may send: a request with what he wrote behind it, and what is passed over once he is answered. */
const MAX_RECEIVED = 128 * 1024;
const MAX_PASSED_OVER = 2 * 1024 ** 2;
const MAX_BODY = 4 * 1024;
export const MAX_TRUSTED = 1024 ** 2;
/** Without a byte, between requests or within one. */
const IDLE_SECONDS = 60;

export class AdminConnection {
  readonly #socket: Socket;
  readonly #host: AdminHost;
  #phase: AdminPhase = 'receiving';
  #request = this.#next();
  /** By `trusts`, of the request that is there. */
  #isTrusted = false;
  /** It may stay: what takes long to be published is answered, too. */
  #isKept = false;
  #hasEnded = false;
  #received = 0;
  /** What came behind a request that is being answered. */
  #rest: Buffer[] = [];

  constructor(socket: Socket, host: AdminHost) {
    this.#socket = socket;
    this.#host = host;
    socket.on('data', (bytes) => this.#hear(bytes));
    socket.on('end', () => this.#end());
    socket.on('close', () => this.#request.release());
    socket.setTimeout(IDLE_SECONDS * 1000, () => socket.destroy());
  }

  #next(): RequestParser {
    return new RequestParser((head) => this.#roomFor(head), Llhttp.take(), ofOperator);
  }

  #roomFor(head: RequestParser): number {
    this.#isTrusted = this.#host.trusts(head);
    return this.#isTrusted ? MAX_TRUSTED : MAX_BODY;
  }

  #hear(bytes: Buffer): void {
    this.#received += bytes.length;
    const most = this.#phase === 'over' ? MAX_PASSED_OVER : MAX_RECEIVED;
    if (this.#received > most && !this.#isTrusted) this.#socket.destroy();
    else if (this.#phase === 'receiving') this.#read(bytes);
    else if (this.#phase === 'answering' && this.#isTrusted) {
      this.#rest.push(bytes);
      this.#socket.pause();
    }
    // What comes behind the last request is passed over: closing on it unread could cost the client its answer.
  }

  #read(bytes: Buffer): void {
    const request = this.#request;
    const wasExpected = request.expectsContinue;
    const end = request.read(bytes, 0);
    const isRefused = request.status !== 0 || request.isTooLarge;
    if (!request.isComplete && !isRefused) {
      if (request.hasHead && request.expectsContinue && !wasExpected) this.#socket.write(CONTINUE);
      return;
    }
    if (end < bytes.length) this.#rest.push(bytes.subarray(end));
    this.#on('request');
    if (this.#isTrusted && !this.#isKept) this.#isKept = this.#host.keep(this.#socket);
    void this.#answer(request);
  }

  async #answer(request: RequestParser): Promise<void> {
    const answer = await this.#host.answer(request, this.#socket);
    if (answer === undefined || this.#socket.destroyed) return;
    const isLast = !this.#mayGoOn(request);
    const lines = isLast ? CLOSE : keepAlive(IDLE_SECONDS);
    const bytes = encodeAdminResponse(answer, request.method === 'HEAD', lines);
    if (isLast) {
      this.#on('last');
      this.#rest = [];
      this.#socket.end(bytes);
      this.#socket.resume();
    } else {
      this.#socket.write(bytes);
      this.#goOn();
    }
  }

  #mayGoOn(request: RequestParser): boolean {
    const isWhole = request.isComplete && request.status === 0;
    const wantsMore = request.shouldKeepAlive && !this.#hasEnded;
    return this.#isTrusted && this.#isKept && isWhole && wantsMore;
  }

  #goOn(): void {
    this.#on('goesOn');
    this.#isTrusted = false;
    this.#received = 0;
    this.#request = this.#next();
    const rest = this.#rest;
    this.#rest = [];
    for (const bytes of rest) this.#hear(bytes);
    if (this.#phase === 'receiving') this.#socket.resume();
  }

  #end(): void {
    this.#hasEnded = true;
    if (this.#phase === 'receiving') this.#socket.destroy();
    this.#on('end');
  }

  /** The one place where its phase changes. */
  #on(event: AdminEvent): void {
    this.#phase = ADMIN_CONNECTION[event][this.#phase] ?? this.#phase;
  }
}
