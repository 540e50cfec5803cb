/**
 * One connection of a web client: bytes to requests, and answers to bytes in the order of the requests.
 *
 * There may be very many of these with nothing to do but wait, so one costs little: this object, an exchange for
 * each request held, and listeners that all connections share. There is a parser only while a request comes in,
 * and no timer: `expire` is called by the front's one clock.
 */

import type { Socket } from 'node:net';
import type { ClientInfo } from '../gateway/meta.js';
import { clientInfo } from './client-info.js';
import { Exchange } from './exchange.js';
import type { Front } from './front.js';
import { Incoming } from './incoming.js';
import type { RequestParser } from './request-parser.js';
import { CLOSE, CONTINUE, encodeResponse, type Response } from './response.js';
import { isAllowedHeader } from './response-headers.js';
import { malformed, type Reply, route, STOPPING, TOO_MANY, TOO_SLOW } from './routes.js';

/** BOSH needs two (XEP-0124 §11: `requests` is hold + 1). */
const MAX_PIPELINED = 8;
/** Bytes of answers that a client may leave unread and still send requests. */
const MAX_UNREAD = 256 * 1024;
/** Seconds that a client has to close its end after ours: its last bytes must not reset what it reads (RFC 9112 §9.6). */
const LINGER = 2;

const NEVER = 2 ** 30;
const CR = 13;
const LF = 10;

const CONNECTION = Symbol('connection');
type ClientSocket = Socket & { [CONNECTION]?: Connection };

export class Connection {
  readonly #front: Front;
  readonly #socket: Socket;
  /** It came when the maximum was reached: it hears 503 and is closed. */
  readonly #isRefused: boolean;
  /** The request that is coming in. */
  #request: Incoming | undefined = undefined;
  /** Requests whose answer is not written, a linked list in order. */
  #first: Exchange | undefined = undefined;
  #last: Exchange | undefined = undefined;
  #pending = 0;
  /** What comes in is passed over: the last request of this connection was read. */
  #isInputOver = false;
  #isEnded = false;
  /** Answers were written that the client had not read when it was looked at last. */
  #isUnread = false;
  #deadline: number;

  constructor(socket: Socket, front: Front, isRefused: boolean) {
    this.#front = front;
    this.#socket = socket;
    this.#isRefused = isRefused;
    // It may have been opened ahead, for a request to come.
    this.#deadline = this.#after(isRefused ? front.headerTimeout : front.keepAliveTimeout);
    front.connections.add(this);
    if (!isRefused) front.unused.set(this, front.now);
    (socket as ClientSocket)[CONNECTION] = this;
    socket.on('data', onData);
    socket.on('error', onError);
    socket.on('close', onClose);
  }

  clientOf(request: RequestParser): ClientInfo {
    return clientInfo(this.#socket, request, this.#front);
  }

  receive(bytes: Buffer): void {
    let at = this.#skipEmptyLines(bytes, 0);
    while (at < bytes.length && !this.#isInputOver) {
      const request = this.#request ?? this.#begin();
      if (request === undefined) return;
      const { parser } = request;
      at = parser.read(bytes, at);
      if (parser.status !== 0) this.#reject(malformed(parser.status));
      else if (parser.isComplete) this.#complete(request);
      else this.#goOn(request);
      at = this.#skipEmptyLines(bytes, at);
    }
  }

  /** @param response from the gateway, so its headers are not trusted */
  answer(exchange: Exchange, response: Response): void {
    const headers = response.headers.filter(isAllowedHeader);
    this.#front.counters.refusedHeaders += response.headers.length - headers.length;
    this.#answer(exchange, { ...response, headers });
  }

  /** The next answer is its last one, or the one to the request that is coming in. */
  stop(): void {
    if (this.#request !== undefined || this.#front.unused.has(this)) return;
    if (this.#last === undefined) {
      this.#end();
    } else {
      this.#isInputOver = true;
      this.#last.isLast = true;
    }
  }

  /** A request that has not come in by now is not waited for. */
  stopWaiting(): void {
    this.#front.unused.delete(this);
    if (this.#request !== undefined) this.#giveUp(STOPPING);
    else this.stop();
  }

  destroy(): void {
    this.#front.unused.delete(this);
    this.#socket.destroy();
  }

  closed(): void {
    this.#front.connections.delete(this);
    this.#front.unused.delete(this);
    this.#release();
    for (let exchange = this.#first; exchange !== undefined; exchange = exchange.next) {
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
      this.#giveUp(malformed(408));
    } else if (this.#isUnread && this.#socket.writableLength === 0) {
      this.#isUnread = false;
      this.#rest();
    } else {
      this.#socket.destroy();
    }
  }

  /** Some clients send one behind a request (RFC 9112 §2.2): it does not begin another. */
  #skipEmptyLines(bytes: Buffer, start: number): number {
    let at = start;
    if (this.#request === undefined) while (bytes[at] === CR || bytes[at] === LF) at += 1;
    return at;
  }

  /** The request that begins; `undefined` where the client sends on and on without reading. */
  #begin(): Incoming | undefined {
    if (this.#pending >= MAX_PIPELINED || this.#socket.writableLength > MAX_UNREAD) {
      this.#isInputOver = true;
      this.#socket.destroy();
      return undefined;
    }
    this.#front.unused.delete(this);
    this.#deadline = this.#after(this.#front.headerTimeout);
    this.#isUnread = false;
    this.#request = new Incoming(this, this.#front.maxBody);
    return this.#request;
  }

  /** The rest of it is still to come. */
  #goOn(request: Incoming): void {
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
      this.#rest();
    }
  }

  #invite(request: Incoming): void {
    const reply = this.#replyTo(request.parser);
    if (reply === undefined) {
      // Before the answer to another request it would be taken for one of that (RFC 9112 §9.3.2).
      if (this.#first === undefined) this.#socket.write(CONTINUE);
      return;
    }
    // Whether the body comes all the same, only the client knows (RFC 9110 §10.1.1).
    request.isAnswered = true;
    this.#reply(this.#add(request.parser, true), reply);
  }

  #complete({ parser, isAnswered }: Incoming): void {
    this.#release();
    if (!isAnswered) {
      const exchange = this.#add(parser, this.#isRefused || !parser.shouldKeepAlive);
      const reply = this.#replyTo(parser);
      if (reply === undefined) exchange.handOver(this.#front.service, parser);
      else this.#reply(exchange, reply);
    }
    this.#rest();
  }

  #replyTo(parser: RequestParser): Reply | undefined {
    if (this.#isRefused) return TOO_MANY;
    const reply = route(parser);
    return reply === undefined && parser.isTooLarge ? this.#front.tooLarge : reply;
  }

  #reply(exchange: Exchange, reply: Reply): void {
    if (reply.reason !== undefined) this.#front.counters.refused[reply.reason] += 1;
    this.#answer(exchange, reply);
  }

  /** The rest of the request that is coming in is not waited for. */
  #giveUp(reply: Reply): void {
    if (this.#request?.isAnswered) this.#end();
    else this.#reject(reply);
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
    const { cors, isStopping } = this.#front;
    const isLast = mustBeLast || isStopping;
    const origin = parser.header('origin');
    const lines = parser.method === 'OPTIONS' ? cors.preflight(origin) : cors.lines(origin);
    const exchange = new Exchange(this, lines, parser.method === 'HEAD', isLast);
    if (this.#last === undefined) this.#first = exchange;
    else this.#last.next = exchange;
    this.#last = exchange;
    this.#pending += 1;
    if (isLast) this.#isInputOver = true;
    return exchange;
  }

  #answer(exchange: Exchange, response: Response): void {
    const lines = exchange.lines + (exchange.isLast ? CLOSE : this.#front.keepAliveLines);
    exchange.bytes = encodeResponse(response, lines, exchange.isHead);
    if (exchange === this.#first) this.#write();
  }

  /** Writes what is next and answered. */
  #write(): void {
    if (this.#isEnded) return;
    if (this.#socket.writableLength === 0) this.#isUnread = false;
    let exchange = this.#first;
    let isLast = false;
    while (exchange?.bytes !== undefined) {
      this.#socket.write(exchange.bytes);
      isLast ||= exchange.isLast;
      exchange = exchange.next;
      this.#pending -= 1;
    }
    this.#first = exchange;
    if (exchange === undefined) this.#last = undefined;
    if (isLast && exchange === undefined) this.#end();
    else this.#rest();
  }

  #end(): void {
    this.#isInputOver = true;
    this.#isEnded = true;
    this.#release();
    const isRead = this.#socket.writableLength === 0;
    this.#deadline = this.#after(isRead ? LINGER : this.#front.requestTimeout);
    this.#socket.end();
  }

  /** Sets the deadline of one from whom no request is coming in. */
  #rest(): void {
    if (this.#request !== undefined || this.#isEnded) return;
    if (this.#socket.writableLength > 0) {
      if (!this.#isUnread) this.#deadline = this.#after(this.#front.requestTimeout);
      this.#isUnread = true;
    } else {
      this.#deadline = this.#first === undefined ? this.#after(this.#front.keepAliveTimeout) : NEVER;
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

function onData(this: ClientSocket, bytes: Buffer): void {
  this[CONNECTION]?.receive(bytes);
}

/** A client that goes away; `close` follows. */
function onError(): void {}

function onClose(this: ClientSocket): void {
  this[CONNECTION]?.closed();
}
