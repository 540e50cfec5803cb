/**
 * One connection of a web client: bytes to requests, and answers to bytes in the order of the requests.
 *
 * There may be very many of these with nothing to do but wait, so one costs little: this object, an exchange for
 * each request held, and listeners that all connections share. There is a parser only while a request comes in,
 * and no timer: `expire` is called by the front's one clock.
 */

import type { Socket } from 'node:net';
import type { ClientInfo } from '../gateway/meta.js';
import { attach } from './attach.js';
import { clientInfo } from './client-info.js';
import { Exchange } from './exchange.js';
import type { Front } from './front.js';
import { Incoming } from './incoming.js';
import { Pending } from './pending.js';
import type { RequestParser } from './request-parser.js';
import { CONTINUE, type Response } from './response.js';
import { isAllowedHeader } from './response-headers.js';
import { Rest } from './rest.js';
import { isLast, malformed, type Reply, route, STOPPING, TIMED_OUT, TOO_MANY, TOO_SLOW } from './routes.js';

/** BOSH needs two (XEP-0124 §11: `requests` is hold + 1). */
const MAX_PIPELINED = 8;
/** Seconds that a client has to close its end after ours: its last bytes must not reset what it reads (RFC 9112 §9.6). */
const LINGER = 2;

const NEVER = 2 ** 30;
const CR = 13;
const LF = 10;

export class Connection {
  readonly #front: Front;
  readonly #socket: Socket;
  /** It came when the maximum was reached: it hears 503 and is closed. */
  readonly #isRefused: boolean;
  /** The request that is coming in. */
  #request: Incoming | undefined = undefined;
  /** What came behind the last request, while the socket is paused. */
  #rest: Rest | undefined = undefined;
  /** A request began here. */
  #isUsed = false;
  readonly #pending = new Pending();
  /** What comes in is passed over: the last request of this connection was read. */
  #isInputOver = false;
  #isEnded = false;
  /** Answers were written that the client had not read when it was looked at last. */
  #isUnread = false;
  #deadline: number;

  constructor(socket: Socket, front: Front) {
    this.#front = front;
    this.#socket = socket;
    this.#isRefused = !front.room.enter(this, front.now);
    // It may have been opened ahead, for a request to come.
    this.#deadline = this.#after(this.#isRefused ? front.headerTimeout : front.keepAliveTimeout);
    attach(socket, this);
  }

  clientOf(request: RequestParser): ClientInfo {
    return clientInfo(this.#socket, request, this.#front);
  }

  receive(bytes: Buffer): void {
    const at = this.#mayRead() ? this.read(bytes, 0) : 0;
    if (at < bytes.length && !this.#isInputOver) {
      this.#rest = new Rest(this, this.#socket, this.#front, bytes, at);
    }
  }

  /** Reads one request, or what is there of it. @returns the offset behind that */
  read(bytes: Buffer, start: number): number {
    if (this.#isInputOver) return bytes.length;
    const begin = this.#skipEmptyLines(bytes, start);
    if (begin === bytes.length) return begin;
    const request = this.#request ?? this.#begin();
    if (request === undefined) return bytes.length;
    const { parser } = request;
    const at = parser.read(bytes, begin);
    if (parser.status !== 0) this.#reject(malformed(parser.status));
    else if (parser.isComplete) this.#complete(request);
    else this.#goOn(request);
    return this.#skipEmptyLines(bytes, at);
  }

  /** @param response from the gateway, so its headers are not trusted */
  answer(exchange: Exchange, response: Response): void {
    const headers = response.headers.filter(isAllowedHeader);
    this.#front.counters.refusedHeaders += response.headers.length - headers.length;
    this.#answer(exchange, { ...response, headers });
  }

  /** The next answer is its last one, or the one to the request that is coming in. */
  stop(): void {
    // The first request to one that was opened ahead may be on its way.
    if (this.#request === undefined && this.#rest?.isOver !== false && this.#isUsed) this.#finish();
  }

  /** A request that has not come in by now is not waited for. */
  stopWaiting(): void {
    if (this.#request !== undefined) this.#giveUp(STOPPING);
    else this.#finish();
  }

  /** It makes room for others, without a word. */
  destroy(): void {
    if (this.#isRefused) this.#front.counters.refused.overload += 1;
    this.#isInputOver = true;
    this.#socket.destroy();
  }

  closed(): void {
    this.#front.room.leave(this);
    this.#release();
    this.#rest?.end();
    for (let exchange = this.#pending.first; exchange !== undefined; exchange = exchange.next) {
      if (exchange.handle !== 0) this.#front.service.closed(exchange.handle);
    }
  }

  /** The request that is coming in has to make room for others. */
  refuseSlow(): void {
    this.#giveUp(TOO_SLOW);
  }

  /** Acts on a deadline that has passed. */
  expire(): void {
    if (this.#deadline > this.#front.now) return;
    if (this.#isEnded) {
      this.#socket.destroy();
    } else if (this.#request !== undefined) {
      this.#giveUp(TIMED_OUT);
    } else if (this.#isUnread && this.#socket.writableLength === 0) {
      this.#isUnread = false;
      this.#await();
    } else {
      this.#socket.destroy();
    }
  }

  /** No request begins before the kernel has taken all answers. */
  #mayRead(): boolean {
    return this.#request !== undefined || this.#socket.writableLength === 0;
  }

  /** Some clients send one behind a request (RFC 9112 §2.2): it does not begin another. */
  #skipEmptyLines(bytes: Buffer, start: number): number {
    let at = start;
    if (this.#request === undefined) while (bytes[at] === CR || bytes[at] === LF) at += 1;
    return at;
  }

  /** The request that begins; `undefined` where the client sends on and on without waiting. */
  #begin(): Incoming | undefined {
    if (this.#pending.size >= MAX_PIPELINED) {
      this.destroy();
      return undefined;
    }
    this.#isUsed = true;
    this.#deadline = this.#after(this.#front.headerTimeout);
    this.#isUnread = false;
    this.#request = new Incoming(this, this.#front.maxBody);
    return this.#request;
  }

  /** The rest of it is still to come. */
  #goOn(request: Incoming): void {
    if (request.bytes === 0) this.#front.room.begin(this, this.#front.now);
    if (request.parser.hasHead) this.#look(request);
    // The look may have ended it, and it may itself be the one that makes room.
    if (this.#request === request) this.#front.receiving.hold(request, request.parser.memory);
  }

  /** What a request hears before all of its body is there. */
  #look(request: Incoming): void {
    const { parser } = request;
    if (!request.hasHead) {
      request.hasHead = true;
      this.#deadline += this.#front.requestTimeout - this.#front.headerTimeout;
      if (parser.expectsContinue) this.#invite(request);
    }
    if (parser.isTooLarge && !request.isAnswered) {
      request.isAnswered = true;
      this.#reply(this.#add(parser, !parser.shouldKeepAlive), this.#front.tooLarge);
    }
    if (this.#isInputOver) {
      this.#release();
      this.#await();
    }
  }

  #invite(request: Incoming): void {
    const reply = this.#replyTo(request.parser);
    if (reply === undefined) {
      // Before the answer to another request it would be taken for one of that (RFC 9112 §9.3.2).
      if (this.#pending.size === 0) this.#socket.write(CONTINUE);
      return;
    }
    // Whether the body comes all the same, only the client knows (RFC 9110 §10.1.1).
    request.isAnswered = true;
    this.#reply(this.#add(request.parser, true), reply);
  }

  #complete({ parser, isAnswered }: Incoming): void {
    this.#release();
    if (!isAnswered) {
      const reply = this.#replyTo(parser);
      const exchange = this.#add(parser, !parser.shouldKeepAlive || (reply !== undefined && isLast(reply)));
      if (reply === undefined) exchange.handOver(this.#front.service, parser);
      else this.#reply(exchange, reply);
    }
    this.#await();
  }

  #replyTo(parser: RequestParser): Reply | undefined {
    return this.#isRefused ? TOO_MANY : route(parser, this.#front.tooLarge);
  }

  #reply(exchange: Exchange, reply: Reply): void {
    if (reply.reason !== undefined) this.#front.counters.refused[reply.reason] += 1;
    this.#answer(exchange, reply);
  }

  /** The rest of the request that is coming in is not waited for. */
  #giveUp(reply: Reply): void {
    if (this.#request?.isAnswered) this.#finish();
    else this.#reject(reply);
  }

  /** Nothing more is read, and the last of the answers that are due ends it. */
  #finish(): void {
    this.#endInput();
    const { last } = this.#pending;
    if (last === undefined) {
      this.#end();
    } else {
      last.isLast = true;
      this.#await();
    }
  }

  #endInput(): void {
    this.#isInputOver = true;
    this.#release();
    this.#rest?.end();
  }

  /** Where one request ends and the next begins is not known any more: no other is read. */
  #reject(reply: Reply): void {
    if (this.#request === undefined) return;
    const exchange = this.#add(this.#request.parser, true);
    this.#release();
    this.#deadline = NEVER;
    this.#reply(exchange, reply);
  }

  #add(parser: RequestParser, mustBeLast: boolean): Exchange {
    const isLast = mustBeLast || this.#front.isStopping;
    const lines = this.#front.cors.linesFor(parser.method, parser.header('origin'));
    const exchange = new Exchange(this, lines, parser.method === 'HEAD', isLast);
    this.#pending.add(exchange);
    this.#front.room.hold(this);
    if (isLast) {
      this.#isInputOver = true;
      this.#rest?.end();
    }
    return exchange;
  }

  #answer(exchange: Exchange, response: Response): void {
    const isNext = exchange === this.#pending.first;
    exchange.keep(response, isNext);
    if (isNext) this.#write();
  }

  /** Writes what is next and answered. */
  #write(): void {
    if (this.#isEnded) return;
    if (this.#socket.writableLength === 0) this.#isUnread = false;
    let isOver = false;
    for (let next = this.#pending.shift(); next !== undefined; next = this.#pending.shift()) {
      this.#socket.write(next.encode(this.#front.keepAliveLines));
      isOver = next.isLast;
    }
    if (this.#pending.size === 0) this.#front.room.free(this, this.#front.now);
    if (isOver) this.#end();
    else this.#await();
  }

  #end(): void {
    this.#endInput();
    this.#isEnded = true;
    const isRead = this.#socket.writableLength === 0;
    this.#deadline = this.#after(isRead ? LINGER : this.#front.requestTimeout);
    this.#socket.end();
  }

  /** Sets the deadline of one from whom no request is coming in. */
  #await(): void {
    if (this.#request !== undefined || this.#isEnded) return;
    if (this.#socket.writableLength > 0) {
      if (!this.#isUnread) this.#deadline = this.#after(this.#front.requestTimeout);
      this.#isUnread = true;
    } else {
      this.#deadline = this.#pending.size === 0 ? this.#after(this.#front.keepAliveTimeout) : NEVER;
    }
  }

  #release(): void {
    if (this.#request === undefined) return;
    this.#request.parser.release();
    this.#front.receiving.release(this.#request);
    this.#request = undefined;
  }

  #after(seconds: number): number {
    // The clock may be a second behind.
    return this.#front.now + Math.ceil(seconds) + 1;
  }
}
