/**
 * One connection of a web client: bytes to requests, and answers to bytes in the order of the requests.
 *
 *   phase     what it waits for                                    for how long
 *   ahead     its first request, for which it was opened ahead     keepAliveTimeout (headerTimeout, if there is no room for it)
 *   idle      the next request                                     keepAliveTimeout
 *   unread    the client, to read the answers                      requestTimeout
 *   held      the gateway, for answers                             - (requestTimeout, while there are unread ones)
 *   head      the rest of a request's head                         headerTimeout, from its first byte on
 *   body      the rest of its body                                 requestTimeout, from its first byte on
 *   skipped   the rest of a body whose request has its answer      as body
 *   last      the gateway, for the last answers                    as held
 *   ended     the client, to close: all was written, and the end   LINGER (requestTimeout, while there are unread answers)
 *   closed    nothing
 *
 *             a request  its head   its end    no HTTP  all due     time      stop()   stopWaiting()
 *             begins     is read    is read             is written  is over
 *   ahead     head       ·          ·          ·        ·           closed    ·        ended
 *   idle      head       ·          ·          ·        ·           closed    ended    ended
 *   unread    later      ·          ·          ·        ·           closed²   ended    ended
 *   held      head       ·          ·          ·        idle³       closed²   last     last
 *   head      ·          body¹      held⁴      last     ·           last      ·        last
 *   body      ·          ·          held⁴      last     ·           last      ·        last
 *   skipped   ·          ·          held⁴      last⁵    ·           last⁵     ·        last⁵
 *   last      ·          ·          ·          ·        ended       closed²   ·        ·
 *   ended     ·          ·          ·          ·        ·           closed    ·        ·
 *
 *   ¹ skipped where it is answered at once, last where that is the last answer   ² where the client has read all since, it
 *   goes on in that phase, or is idle   ³ unread where the client has not read it all   ⁴ last where its answer is to be the
 *   last one; idle, unread or ended where all due is written   ⁵ without another answer; ended where none is due
 *
 * `destroy()` and the socket's end make it closed, and what is not named leaves a phase as it is. `refuseSlow()` is a time
 * that is over early.
 *
 * There may be very many of these with nothing to do but wait, so one costs little: this object, an exchange for each
 * request held, and listeners that all connections share. There is a parser only while a request comes in, and no timer:
 * `expire` is called by the front's one clock.
 */

import type { ClientInfo } from '../gateway/meta.js';
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
import type { Wire } from './wire.js';

export type Phase =
  | 'ahead'
  | 'idle'
  | 'unread'
  | 'held'
  | 'head'
  | 'body'
  | 'skipped'
  | 'last'
  | 'ended'
  | 'closed';

/** BOSH needs two (XEP-0124 §11: `requests` is hold + 1). */
const MAX_PIPELINED = 8;
/** Seconds that a client has to close its end after ours: its last bytes must not reset what it reads (RFC 9112 §9.6). */
const LINGER = 2;

const NEVER = 2 ** 30;
const CR = 13;
const LF = 10;

export class Connection {
  readonly #front: Front;
  readonly #wire: Wire;
  /** It came when the maximum was reached: it hears 503 and is closed. */
  readonly #isRefused: boolean;
  #phase: Phase = 'ahead';
  /** When this phase has lasted too long, in seconds of the front's clock. */
  #deadline: number;
  /** In the phases head, body and skipped. */
  #request: Incoming | undefined = undefined;
  /** What came behind the last request, while the wire is paused. */
  #rest: Rest | undefined = undefined;
  readonly #pending = new Pending();

  constructor(wire: Wire, front: Front) {
    this.#front = front;
    this.#wire = wire;
    this.#isRefused = !front.room.enter(this, front.now);
    this.#deadline = this.#after(this.#isRefused ? front.headerTimeout : front.keepAliveTimeout);
  }

  get phase(): Phase {
    return this.#phase;
  }

  clientOf(request: RequestParser): ClientInfo {
    return clientInfo(this.#wire, request, this.#front);
  }

  receive(bytes: Buffer): void {
    // No request begins before the kernel has taken all answers.
    const mayRead = this.#request !== undefined || this.#wire.writableLength === 0;
    const at = mayRead ? this.read(bytes, 0) : 0;
    if (at < bytes.length && !this.#isDeaf) this.#rest = new Rest(this, this.#wire, this.#front, bytes, at);
  }

  /** Reads one request, or what is there of it. @returns the offset behind that */
  read(bytes: Buffer, start: number): number {
    if (this.#isDeaf) return bytes.length;
    const begin = this.#skipEmptyLines(bytes, start);
    if (begin === bytes.length) return begin;
    const request = this.#request ?? this.#begin();
    if (request === undefined) return bytes.length;
    const { parser } = request;
    const at = parser.read(bytes, begin);
    if (parser.status !== 0) this.#giveUp(request, malformed(parser.status));
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
    if (this.#phase === 'idle' || this.#phase === 'unread' || this.#phase === 'held') {
      // The request that is to be read next becomes its last one; so does the first one, if it is on its way.
      if (this.#rest?.isOver !== false) this.#finish();
    }
  }

  /** A request that has not come in by now is not waited for. */
  stopWaiting(): void {
    if (this.#request !== undefined) this.#giveUp(this.#request, STOPPING);
    else if (!this.#isDeaf) this.#finish();
  }

  /** It makes room for others, without a word. */
  destroy(): void {
    if (this.#isRefused && !this.#isDeaf) this.#front.counters.refused.overload += 1;
    this.#cut();
  }

  closed(): void {
    this.#release();
    this.#rest?.end();
    this.#become('closed', NEVER);
    this.#front.room.leave(this);
    for (let exchange = this.#pending.first; exchange !== undefined; exchange = exchange.next) {
      if (exchange.handle !== 0) this.#front.service.closed(exchange.handle);
    }
  }

  /** The request that is coming in has to make room for others. */
  refuseSlow(): void {
    if (this.#request !== undefined) this.#giveUp(this.#request, TOO_SLOW);
  }

  /** Acts on a deadline that has passed. */
  expire(): void {
    if (this.#deadline > this.#front.now) return;
    const isDue = this.#phase === 'held' || this.#phase === 'last';
    if (this.#request !== undefined) this.#giveUp(this.#request, TIMED_OUT);
    else if ((isDue || this.#phase === 'unread') && this.#wire.writableLength === 0) this.#await();
    else this.#cut();
  }

  /** The one place where its state changes. */
  #become(phase: Phase, deadline: number): void {
    this.#phase = phase;
    this.#deadline = deadline;
  }

  /** What comes in is passed over. */
  get #isDeaf(): boolean {
    return this.#phase === 'last' || this.#phase === 'ended' || this.#phase === 'closed';
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
    const { headerTimeout, maxBody, now } = this.#front;
    this.#request = new Incoming(this, maxBody, now);
    this.#become('head', this.#after(headerTimeout));
    return this.#request;
  }

  /** The rest of it is still to come. */
  #goOn(request: Incoming): void {
    if (request.bytes === 0) this.#front.room.begin(this, this.#front.now);
    if (this.#phase === 'head' && request.parser.hasHead) this.#endHead(request);
    if (this.#phase === 'body' && request.parser.isTooLarge) {
      this.#refuseBody(request, this.#front.tooLarge, !request.parser.shouldKeepAlive);
    }
    // It may have been given up, and may itself be the one that makes room.
    if (this.#request === request) this.#front.receiving.hold(request, request.parser.memory);
  }

  #endHead(request: Incoming): void {
    this.#become('body', this.#after(this.#front.requestTimeout, request.since));
    if (!request.parser.expectsContinue) return;
    const reply = this.#replyTo(request.parser);
    // Whether the body comes all the same, only the client knows (RFC 9110 §10.1.1).
    if (reply !== undefined) this.#refuseBody(request, reply, true);
    // Before the answer to another request it would be taken for one of that (RFC 9112 §9.3.2).
    else if (this.#pending.size === 0) this.#wire.write(CONTINUE);
  }

  /** It is answered before its end. */
  #refuseBody(request: Incoming, reply: Reply, mustBeLast: boolean): void {
    const exchange = this.#add(request.parser, mustBeLast);
    if (!exchange.isLast) this.#become('skipped', this.#deadline);
    this.#reply(exchange, reply);
  }

  #complete(request: Incoming): void {
    const { parser } = request;
    const isAnswered = this.#phase === 'skipped';
    this.#release();
    if (isAnswered) {
      this.#await();
      return;
    }
    const reply = this.#replyTo(parser);
    const exchange = this.#add(parser, !parser.shouldKeepAlive || (reply !== undefined && isLast(reply)));
    if (reply === undefined) exchange.handle = this.#front.service.request(exchange, request);
    else this.#reply(exchange, reply);
  }

  #replyTo(parser: RequestParser): Reply | undefined {
    return this.#isRefused ? TOO_MANY : route(parser, this.#front.tooLarge);
  }

  /** The rest of it is not waited for. Where another one would begin is not known: nothing more is read. */
  #giveUp({ parser }: Incoming, reply: Reply): void {
    if (this.#phase === 'skipped') this.#finish();
    else this.#reply(this.#add(parser, true), reply);
  }

  /** Nothing more is read, and the last of the answers that are due ends it. */
  #finish(): void {
    const { last } = this.#pending;
    this.#endInput();
    if (last === undefined) {
      this.#end();
    } else {
      last.isLast = true;
      this.#await();
    }
  }

  #add(parser: RequestParser, mustBeLast: boolean): Exchange {
    const isLast = mustBeLast || this.#front.isStopping;
    const lines = this.#front.cors.linesFor(parser.method, parser.header('origin'));
    const exchange = new Exchange(this, lines, parser.method === 'HEAD', isLast);
    this.#pending.add(exchange);
    this.#front.room.hold(this);
    if (isLast) this.#endInput();
    this.#await();
    return exchange;
  }

  #reply(exchange: Exchange, reply: Reply): void {
    if (reply.reason !== undefined) this.#front.counters.refused[reply.reason] += 1;
    this.#answer(exchange, reply);
  }

  #answer(exchange: Exchange, response: Response): void {
    const isNext = exchange === this.#pending.first;
    exchange.keep(response, isNext);
    if (isNext && this.#phase !== 'closed') this.#write();
  }

  /** Writes what is next and answered. */
  #write(): void {
    const wasRead = this.#wire.writableLength === 0;
    const isOver = this.#pending.write(this.#wire, this.#front.keepAliveLines);
    if (this.#pending.size === 0) this.#front.room.free(this, this.#front.now);
    if (isOver) this.#end();
    else this.#await(wasRead);
  }

  #end(): void {
    const isRead = this.#wire.writableLength === 0;
    this.#become('ended', this.#after(isRead ? LINGER : this.#front.requestTimeout));
    this.#wire.end();
  }

  /** Where no request is coming in. @param isNew all that is unread was written just now */
  #await(isNew = false): void {
    if (this.#request !== undefined) return;
    const isDue = this.#pending.size > 0;
    const isUnread = this.#wire.writableLength > 0;
    let phase: Phase = isDue ? 'held' : isUnread ? 'unread' : 'idle';
    if (this.#phase === 'last') phase = 'last';
    if (isUnread) {
      const deadline = this.#after(this.#front.requestTimeout);
      this.#become(phase, isNew ? deadline : Math.min(deadline, this.#deadline));
    } else {
      this.#become(phase, isDue ? NEVER : this.#after(this.#front.keepAliveTimeout));
    }
  }

  #endInput(): void {
    this.#release();
    this.#become('last', this.#deadline);
    this.#rest?.end();
  }

  /** No request is coming in any more. */
  #release(): void {
    if (this.#request === undefined) return;
    this.#request.parser.release();
    this.#front.receiving.release(this.#request);
    this.#request = undefined;
    this.#become('held', NEVER);
  }

  #cut(): void {
    this.#become('closed', NEVER);
    this.#wire.destroy();
  }

  #after(seconds: number, since = this.#front.now): number {
    // The clock may be a second behind.
    return since + Math.ceil(seconds) + 1;
  }
}
