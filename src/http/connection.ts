/**
 * One connection of a web client: bytes to requests, and answers to bytes in the order of the requests.
 *
 *   phase      what it waits for                                      for how long
 *   ahead      its first request, for which it was opened ahead       keepAliveTimeout (headerTimeout, if there is no room for it)
 *   idle       the next request                                       keepAliveTimeout
 *   unread     the client, to read the answers                        requestTimeout
 *   held       the gateway, for answers                               - (requestTimeout, while there are unread ones)
 *   head       the rest of a request's head                           headerTimeout, from its first byte on
 *   expecting  the gateway, for answers before its 100 Continue       -
 *   body       the rest of its body                                   requestTimeout, from its first byte or 100 on
 *   skipped    the rest of a body whose request has its answer        as body
 *   last       the gateway, for the last answers                      as held
 *   ended      the client, to close: all was written, and the end     LINGER (requestTimeout, while there are unread answers)
 *
 *   in phase      1st byte  head  all   too large    no HTTP    answered         time       time, read  slow       stop           stopWait
 *   ahead         head      body  held  skipped+413  ended+400  ·                closed     closed      ·          ·              ended
 *   idle          head      body  held  skipped+413  ended+400  ·                closed     closed      ·          ended          ended
 *   unread        ·         ·     ·     ·            ·          ·                closed     idle        ·          ended          ended
 *   held          head      body  held  skipped      last       idle+200         ·          ·           ·          last+release   last
 *   held, unread  ·         ·     ·     ·            ·          unread+200       closed     ·           ·          last+release   last
 *   head          ·         body  held  skipped+413  ended+400  ·                ended+503  ended+503   ended+503  ·              ended+503
 *   head, due     ·         body  held  skipped      last       head+200         last       last        last       ·+release      last
 *   expecting     body      body  held  skipped      last       body+200+100     ·          ·           last       ·+release      last
 *   body          ·         ·     held  skipped+413  ended+400  ·                ended+503  ended+503   ended+503  ·              ended+503
 *   body, due     ·         ·     held  skipped      last       body+200         last       last        last       ·+release      last
 *   skipped       ·         ·     idle  ended        ended      ·                ended      ended       ended      ·              ended
 *   skipped, due  ·         ·     held  last         last       skipped+200+413  last       last        last       ·+release      last
 *   last          ·         ·     ·     ·            ·          ended+200        ·          ·           ·          ·+release      ·
 *   last, unread  ·         ·     ·     ·            ·          ended+200        closed     ·           ·          ·+release      ·
 *   ended         ·         ·     ·     ·            ·          ·                closed     closed      ·          ·              ·
 *
 * Behind a plus is what the client hears, or what is asked of the gateway. due: an answer is to come; unread: one is to be read; too large: a body beyond what
 * is taken, or skipped; time, read: all was read since; slow: it is to make room. An answer at once leads on from held, or to skipped, and the last request
 * to last. What comes before all is read waits, and `stop()` for it; each request is the last one then, skipped or not. The ninth while eight are due cuts
 * it, and so does too much behind the last one. Cut or gone it is closed for ever, and so where another takes it over. It costs this
 * object, a response for each request held, and a parser only while one comes in; the front has one clock for all.
 */

import { corsLines } from './cors-lines.js';
import { leave, refusalOf } from './entrance.js';
import { after, type Front, LINGER, NEVER } from './front.js';
import { Incoming, MAX_SKIPPED, skipEmptyLines } from './incoming.js';
import { Pending } from './pending.js';
import { PendingResponse } from './pending-response.js';
import { STOPPING, TIMED_OUT, TOO_SLOW } from './replies.js';
import { CONTINUE, type Reply } from './response.js';
import { Rest } from './rest.js';
import type { Guest } from './room.js';
import * as routes from './routes.js';
import type { Takeover } from './take-over.js';
import type { Wire } from './wire.js';

type Open = 'ahead' | 'idle' | 'unread' | 'held' | 'head' | 'expecting' | 'body' | 'skipped';
export type Phase = Open | 'last' | 'ended' | 'closed';

export class Connection implements Guest {
  address: string;
  freeSince = 0;
  older: Guest | undefined = undefined;
  newer: Guest | undefined = undefined;
  readonly #front: Front;
  readonly #wire: Wire;
  /** It came when the maximum was reached: what it hears before it is closed. */
  readonly #refusal: Reply | undefined;
  #phase: Phase = 'ahead';
  /** When this phase has lasted too long, in seconds of the front's clock. */
  #deadline: number;
  /** In the phases head, expecting, body and skipped. */
  #request: Incoming | undefined = undefined;
  /** What came behind the last request, while the wire is paused. */
  #rest: Rest | undefined = undefined;
  readonly #pending = new Pending();
  /** Bytes behind all that is read. */
  #passed = 0;

  constructor(wire: Wire, front: Front) {
    this.#front = front;
    this.#wire = wire;
    this.address = front.limits.ofPeer(wire);
    this.#refusal = refusalOf(this, front);
    this.#deadline = after(this.#front, this.#refusal ? front.headerTimeout : front.keepAliveTimeout);
  }

  get counters(): Front['counters'] {
    return this.#front.counters;
  }

  get phase(): Phase {
    return this.#phase;
  }

  receive(bytes: Buffer): void {
    this.#passed += this.#isDeaf ? bytes.length : 0;
    if (this.#passed > MAX_SKIPPED) this.destroy();
    // No request begins before the kernel has taken all answers.
    const mayRead = this.#request !== undefined || this.#wire.writableLength === 0;
    const at = mayRead ? this.read(bytes, 0) : skipEmptyLines(bytes, 0);
    if (at < bytes.length && !this.#isDeaf) this.#rest = new Rest(this, this.#wire, this.#front, bytes, at);
    // What was skipped to its end may be all that it waited for.
    else if (this.#front.isStopping) this.stop();
  }

  /** Reads one request, or what is there of it. @returns the offset behind that */
  read(bytes: Buffer, start: number): number {
    const begin = this.#request === undefined ? skipEmptyLines(bytes, start) : start;
    if (begin === bytes.length || this.#isDeaf) return bytes.length;
    // Its client sends on and on without waiting.
    if (this.#request === undefined && this.#pending.isFull) this.destroy();
    if (this.#phase === 'closed') return bytes.length;
    const request = this.#request ?? this.#begin();
    const { parser } = request;
    const at = parser.read(bytes, begin);
    if (parser.status !== 0) this.#giveUp(request, routes.malformed(parser.status));
    else if (parser.isComplete) this.#complete(request, bytes, at);
    else this.#goOn(request, at - begin);
    return skipEmptyLines(bytes, at);
  }

  /** Writes what is answered and next. */
  answer(due: PendingResponse, reply: Reply): void {
    if (reply.reason !== undefined) this.counters.refused[reply.reason] += 1;
    const isNext = due === this.#pending.first;
    due.keep(reply, isNext);
    if (!isNext || this.#phase === 'closed') return;
    const wasRead = this.#wire.writableLength === 0;
    const isOver = this.#pending.write(this.#wire, this.#front.keepAliveLines);
    if (this.#pending.size === 0) this.#front.room.free(this, this.#front.now);
    if (isOver) this.#end();
    else if (this.#phase === 'expecting' && this.#pending.size === 0) {
      this.#become('body', after(this.#front, this.#front.requestTimeout));
      this.#wire.write(CONTINUE);
    } else this.#await(wasRead);
  }

  /** What is held is answered now. What is due, there to be read, or on its way to one opened ahead, becomes its last one. */
  stop(): void {
    this.#pending.release(this.#front.service);
    const isReady = this.#phase === 'idle' || this.#phase === 'unread' || this.#phase === 'held';
    if (isReady && this.#rest?.isOver !== false) this.#finish();
  }

  /** A request that has not come in by now is not waited for. */
  stopWaiting(): void {
    if (this.#request !== undefined) this.#giveUp(this.#request, STOPPING);
    else if (!this.#isDeaf) this.#finish();
  }

  /** It makes room for others, without a word. */
  destroy(): void {
    this.#close();
    this.#wire.destroy();
  }

  closed(): void {
    this.#close();
    leave(this, this.#front);
    this.#pending.abandon(this.#front.service);
  }

  refuseSlow(): void {
    if (this.#request !== undefined) this.#giveUp(this.#request, TOO_SLOW);
  }

  expire(): void {
    if (this.#deadline > this.#front.now) return;
    const isDue = this.#phase === 'held' || this.#phase === 'last';
    if (this.#request !== undefined) this.#giveUp(this.#request, TIMED_OUT);
    else if ((isDue || this.#phase === 'unread') && this.#wire.writableLength === 0) this.#await();
    else this.destroy();
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

  #begin(): Incoming {
    this.#request = new Incoming(this, this.#wire, this.#front);
    this.#become('head', after(this.#front, this.#front.headerTimeout));
    return this.#request;
  }

  #goOn(request: Incoming, read: number): void {
    if (request.bytes === 0) this.#front.room.begin(this, this.#front.now);
    if (this.#phase === 'head' && request.parser.hasHead) this.#endHead(request);
    else if (this.#phase === 'expecting')
      this.#become('body', after(this.#front, this.#front.requestTimeout));
    else if (this.#phase === 'skipped' && !request.skip(read)) this.#finish();
    if (this.#phase === 'body' && request.parser.isTooLarge) this.#refuseBody(request, this.#front.tooLarge);
    // It may have been given up, and may itself be the one that makes room.
    if (this.#request === request) this.#front.receiving.hold(request, request.parser.memory);
  }

  #endHead(request: Incoming): void {
    this.#become('body', after(this.#front, this.#front.requestTimeout, request.since));
    if (!request.parser.expectsContinue) return;
    const reply = this.#replyTo(request);
    // Whether the body comes all the same, only the client knows (RFC 9110 §10.1.1).
    if (reply !== undefined && 'status' in reply) this.#refuseBody(request, reply, true);
    // Before the answer to another request it would be taken for one of that (RFC 9112 §9.3.2).
    else if (this.#pending.size > 0) this.#become('expecting', NEVER);
    else this.#wire.write(CONTINUE);
  }

  #refuseBody(request: Incoming, why: Reply, mustBeLast = false): void {
    const reply = routes.tooOften(request, this.#front) ?? why;
    const due = this.#add(request, mustBeLast || !request.parser.shouldKeepAlive || routes.isLast(reply));
    if (!due.isLast) this.#become('skipped', this.#deadline);
    this.answer(due, reply);
  }

  #complete(request: Incoming, bytes: Buffer, at: number): void {
    const isAnswered = this.#phase === 'skipped';
    this.#release();
    if (isAnswered) {
      this.#await();
      return;
    }
    const reply = routes.tooOften(request, this.#front) ?? this.#replyTo(request);
    if (reply !== undefined && 'take' in reply) {
      reply.take(this, this.#wire, this.#front, request, bytes.subarray(at));
      return;
    }
    const due = this.#add(request, !request.parser.shouldKeepAlive || routes.isLast(reply));
    if (reply !== undefined) this.answer(due, routes.toldTo(request, this.#front, reply));
    else due.begin(this.#front, request);
  }

  #replyTo(request: Incoming): Reply | Takeover | undefined {
    return this.#refusal ?? routes.route(request, this.#front, this.#pending.size > 0);
  }

  /** The rest of it is not waited for, but it counts. Where another one would begin is not known: nothing more is read. */
  #giveUp(request: Incoming, reply: Reply): void {
    if (this.#phase === 'skipped') this.#finish();
    else {
      this.#front.limits.wait(request, this.#front.now);
      this.answer(this.#add(request, true), reply);
    }
  }

  #add({ parser }: Incoming, mustBeLast: boolean): PendingResponse {
    const due = new PendingResponse(this, corsLines(parser, this.#front), parser.method === 'HEAD');
    this.#pending.add(due);
    this.#front.room.hold(this);
    if (mustBeLast || this.#front.isDraining) this.#finish();
    else this.#await();
    return due;
  }

  /** Nothing more is read, and the last of the answers that are due ends it. */
  #finish(): void {
    this.#release();
    this.#rest?.end();
    this.#become('last', this.#deadline);
    if (this.#pending.markLast()) this.#await();
    else this.#end();
  }

  #end(): void {
    const time = this.#wire.writableLength === 0 ? LINGER : this.#front.requestTimeout;
    this.#become('ended', after(this.#front, time));
    this.#wire.end();
  }

  /** Where no request is coming in. @param isNew all that is unread was written just now */
  #await(isNew = false): void {
    if (this.#request !== undefined) return;
    const isDue = this.#pending.size > 0;
    const isUnread = this.#wire.writableLength > 0;
    const phase = this.#phase === 'last' ? 'last' : isDue ? 'held' : isUnread ? 'unread' : 'idle';
    const readBy = after(this.#front, this.#front.requestTimeout);
    if (isUnread) this.#become(phase, isNew ? readBy : Math.min(readBy, this.#deadline));
    else this.#become(phase, isDue ? NEVER : after(this.#front, this.#front.keepAliveTimeout));
  }

  /** No request is coming in any more. */
  #release(): void {
    if (this.#request === undefined) return;
    this.#request.parser.release();
    this.#front.receiving.release(this.#request);
    this.#request = undefined;
    this.#become('held', NEVER);
  }

  #close(): void {
    this.#release();
    this.#rest?.end();
    this.#become('closed', NEVER);
  }
}
