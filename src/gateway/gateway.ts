/**
 * The flow from a request to its answer.
 *
 *   request ─▶ peek at the sid ─▶ pick the node ─▶ take a slot, send {ConnId, Body} ─▶ held
 *   held ─▶ an answer to its ConnId ─▶ answered
 *        ─▶ the client went away, or nobody answered in time ─▶ {ConnId, closed, Sid}
 *        ─▶ {gone, Sids}: its session was killed ─▶ item-not-found
 *
 * A request whose node is out of service waits, to be sent when the node is back or refused after a while; refused
 * with 503, so that the client repeats it. Those that were sent before wait, too, for they, or their answers, may be
 * lost: they are sent again (a session takes the same request once), or the module is asked `{ConnId, held, Sid, Rid}`.
 * Then the session answers again what it had answered, says nothing where it holds the request, and 503 where it never
 * came. So nothing is lost, clients hear of a short break nothing at all, and their answers stay in order.
 *
 * A node that stays away for longer than its sessions can live without a sign of their clients has none any more: who
 * asks for them hears `item-not-found`, and logs in elsewhere.
 *
 * A node that is behind (`ClusterNode.takesRequests`) or said that it is full gets no new sessions; the requests of those
 * it has wait, too, and
 * go in order as it catches up.
 */

import type { Logger } from 'pino';
import { decodeVersioned } from '../etf/decode.js';
import { atom, type Pid, type Term } from '../etf/terms.js';
import type { PidOwner } from '../node/hidden-node.js';
import type { Counters } from '../observe/counters.js';
import { AnswerReader } from './answer-reader.js';
import { type Answer, readAnswer } from './answers.js';
import { Cluster, type ClusterListener, type ClusterNode, type PeerKind } from './cluster.js';
import { Deadlines } from './deadlines.js';
import { DroppedAnswers } from './dropped-answers.js';
import { ExchangeTable } from './exchanges.js';
import { BodyBudget } from './outbox.js';
import type { ErlangNode, HttpExchange, HttpRequest } from './ports.js';
import * as refusals from './refusals.js';
import { type OpenExchange, Sender } from './sender.js';
import { peek } from './sid.js';

export interface GatewayOptions {
  /** Full names of the ejabberd nodes. */
  readonly nodes: readonly string[];
  readonly maxExchanges: number;
  /** Seconds until an exchange that nobody answers ends with 504. */
  readonly answerTimeout: number;
  /** Seconds that a request waits for its node's return. */
  readonly nodeReturnWait: number;
  /** Bytes of all requests that wait for their node or are on their way to it, each with some for itself. */
  readonly maxWaiting: number;
}

const NORMAL = atom('normal');
/** Seconds that a node may go without new sessions at its word. */
const MAX_FULL = 60;

export class Gateway implements PidOwner, ClusterListener {
  readonly cluster: Cluster;
  readonly counters: Counters;
  readonly #node: ErlangNode;
  readonly #exchanges: ExchangeTable<OpenExchange>;
  readonly #answers: AnswerReader;
  readonly #answerDue: Deadlines;
  readonly #returnDue: Deadlines;
  readonly #sender: Sender;
  readonly #dropped: DroppedAnswers;
  #stopping = false;
  /** Seconds; one coarse clock for all deadlines. */
  #now = 0;

  constructor(node: ErlangNode, options: GatewayOptions, counters: Counters, log: Logger) {
    this.#node = node;
    this.counters = counters;
    this.#exchanges = new ExchangeTable(options.maxExchanges);
    this.#sender = new Sender(node, this.#exchanges);
    this.#answers = new AnswerReader(node.name, node.creation);
    this.#answerDue = new Deadlines(options.maxExchanges, options.answerTimeout);
    this.#returnDue = new Deadlines(options.maxExchanges, options.nodeReturnWait);
    this.#dropped = new DroppedAnswers(counters, log);
    this.cluster = new Cluster(node, options.nodes, new BodyBudget(options.maxWaiting), log, this);
    node.on('unusable', (peer, error) => this.#dropped.malformed(error, peer));
    node.adoptPids(this);
  }

  get openExchanges(): number {
    return this.#exchanges.size;
  }

  /** The slot to give to `closed`, or 0 where the request is already answered. */
  request(http: HttpExchange, request: HttpRequest): number {
    const { body } = request;
    this.counters.requests += 1;
    this.counters.bytesIn += body.length;
    if (this.#stopping) return this.#refuse(http, 'stopping', refusals.STOPPING);
    const { sid, rid } = peek(body);
    const node = this.cluster.route(sid, this.#now);
    if (node === undefined) {
      if (sid !== undefined) return this.#refuse(http, 'unknown_sid', refusals.UNKNOWN_SID);
      if (this.cluster.isFull(this.#now)) return this.#refuse(http, 'full', refusals.FULL);
      if (this.cluster.inService > 0) return this.#refuse(http, 'busy', refusals.BUSY);
      return this.#refuse(http, 'no_node', refusals.NO_NODE);
    }
    if (sid !== undefined && node.isGone(this.#now)) {
      return this.#refuse(http, 'unknown_sid', refusals.UNKNOWN_SID);
    }
    const exchange: OpenExchange = { http, node, sid, rid, connection: 0 };
    const slot = this.#exchanges.add(exchange);
    if (slot === 0) return this.#refuse(http, 'overload', refusals.OVERLOAD);
    const isOpen = node.takesRequests
      ? this.#send(slot, exchange, body, request)
      : this.#wait(slot, exchange, body);
    return isOpen ? slot : 0;
  }

  /** The client of this exchange went away. */
  closed(slot: number): void {
    const exchange = this.#exchanges.get(slot);
    if (exchange === undefined) return;
    this.counters.closed += 1;
    this.#sender.closed(slot, exchange);
    this.#end(slot, exchange);
  }

  /** A message to one of our ConnIds. */
  deliver(to: Pid, bytes: Buffer, start: number, end: number, peer: string): void {
    const answer = this.#answers.read(bytes, start, end);
    if (answer !== undefined) {
      this.#settle(answer.connId, answer, peer);
      return;
    }
    const term = this.#decode(bytes.subarray(start, end), peer);
    if (term !== undefined) this.answer(term, to, peer);
  }

  /** @param to the ConnId the term was sent to; `undefined` where it was sent to our name */
  answer(term: Term, to: Pid | undefined, peer: string): void {
    const answer = readAnswer(term);
    const connId = answer?.connId ?? to;
    if (answer === undefined || connId === undefined || connId.node !== this.#node.name) {
      this.#dropped.unknownShape(term, peer);
      return;
    }
    this.#settle(connId, answer, peer);
  }

  isAlive(connId: Pid): boolean {
    return this.#find(connId) !== undefined;
  }

  /** The node's module came to that mark. */
  taken(node: ClusterNode, place: number): void {
    node.outbox.taken(place);
    this.#sendWaiting(node);
  }

  /** The node takes no new sessions for so many seconds; those it has go on. */
  full(node: ClusterNode, seconds: number): void {
    node.fullUntil = this.#now + Math.min(seconds, MAX_FULL);
  }

  /** These sessions of the node were killed, and will answer nothing. One pass over all exchanges. */
  gone(node: ClusterNode, sids: ReadonlySet<string>): void {
    this.#exchanges.forEach((exchange, slot) => {
      if (exchange.node !== node || exchange.sid === undefined || !sids.has(exchange.sid)) return;
      this.#giveUp(slot, exchange, 'unknown_sid', refusals.UNKNOWN_SID);
    });
  }

  inService(node: ClusterNode): void {
    for (const [slot, body] of node.outbox.waiting) {
      const exchange = this.#exchanges.get(slot);
      this.#returnDue.remove(slot);
      this.#answerDue.add(slot, this.#now);
      // Who is no module cannot be asked.
      if (node.kind === 'plain' && body === undefined && exchange !== undefined)
        this.#refuseLost(slot, exchange);
    }
    this.#sender.mark(node, true);
    this.#sendWaiting(node);
  }

  outOfService(node: ClusterNode, kind: PeerKind): void {
    node.awaySince = this.#now;
    // Whoever has a ConnId may answer it still.
    if (kind === 'plain') return;
    const questions: { readonly slot: number; readonly rid: number }[] = [];
    this.#exchanges.forEach((exchange, slot) => {
      const { sid, rid } = exchange;
      if (exchange.node !== node) return;
      if (sid === undefined) {
        this.#refuseLost(slot, exchange);
        return;
      }
      if (!node.outbox.hasBody(slot)) questions.push({ slot, rid });
      this.#answerDue.remove(slot);
      this.#returnDue.add(slot, this.#now);
    });
    // A session answers as it is asked: its answers are to come in the order of its requests.
    questions.sort((a, b) => a.rid - b.rid);
    node.outbox.broken(questions.map(({ slot }) => slot));
  }

  linkLost(node: ClusterNode): void {
    this.#exchanges.forEach((exchange, slot) => {
      if (exchange.node === node && !node.outbox.waiting.has(slot)) this.#refuseLost(slot, exchange);
    });
  }

  /** Once a second. @param now seconds, never running backwards */
  tick(now: number): void {
    this.#now = now;
    for (let slot = this.#answerDue.takeDue(now); slot !== 0; slot = this.#answerDue.takeDue(now)) {
      const exchange = this.#exchanges.get(slot);
      if (exchange !== undefined) this.#timeOut(slot, exchange);
    }
    for (let slot = this.#returnDue.takeDue(now); slot !== 0; slot = this.#returnDue.takeDue(now)) {
      const exchange = this.#exchanges.get(slot);
      if (exchange !== undefined) this.#refuseLost(slot, exchange);
    }
    this.cluster.tick(now);
    for (const each of this.cluster.nodes) this.#sender.mark(each, true);
  }

  /** Ends every exchange with 503: clients repeat them at another gateway, and sessions keep what was not answered. */
  stop(): void {
    this.#stopping = true;
    this.cluster.stop();
    this.#exchanges.forEach((exchange, slot) => {
      this.#sender.closed(slot, exchange);
      this.#giveUp(slot, exchange, 'stopping', refusals.STOPPING);
    });
  }

  /** `undefined`: no term that anyone could have meant as a message to us; it is counted. */
  #decode(payload: Buffer, peer: string): Term | undefined {
    try {
      return decodeVersioned(payload);
    } catch (error) {
      this.#dropped.malformed(error, peer);
      return undefined;
    }
  }

  #settle(connId: Pid, answer: Answer, peer: string): void {
    const exchange = this.#find(connId);
    // Where it is to be sent again, an earlier answer of its session may have been lost with the connection: so that they come in
    // order, this one is taken when the session, which is asked for all in order, gives it again. One that the session
    // gives of itself just before it is asked may still overtake an earlier one, as any two on connections of their own.
    if (exchange === undefined || exchange.connection !== exchange.node.connection) this.#dropped.stale(peer);
    else this.#finish(connId.id, exchange, answer);
  }

  #find(connId: Pid): OpenExchange | undefined {
    return connId.creation === this.#node.creation
      ? this.#exchanges.find(connId.id, connId.serial)
      : undefined;
  }

  /** `false`: refused, because the node does not read what waits for it already. */
  #send(slot: number, exchange: OpenExchange, body: Buffer, from?: HttpRequest): boolean {
    if (!this.#sender.request(slot, exchange, body, from)) {
      this.#giveUp(slot, exchange, 'overload', refusals.OVERLOAD);
      return false;
    }
    if (exchange.sid === undefined) exchange.node.sessionsStarted += 1;
    this.#answerDue.add(slot, this.#now);
    return true;
  }

  /** `false`: refused, because too much waits already. */
  #wait(slot: number, exchange: OpenExchange, body: Buffer): boolean {
    const isReturning = exchange.node.kind === undefined;
    if (!exchange.node.outbox.wait(slot, body)) {
      if (isReturning) this.#refuseLost(slot, exchange);
      else this.#giveUp(slot, exchange, 'busy', refusals.BUSY);
      return false;
    }
    (isReturning ? this.#returnDue : this.#answerDue).add(slot, this.#now);
    return true;
  }

  #sendWaiting(node: ClusterNode): void {
    for (const [slot, body] of node.outbox.waiting) {
      if (!node.takesRequests) return;
      const exchange = this.#exchanges.get(slot);
      if (exchange === undefined) continue;
      if (body === undefined) {
        if (!this.#sender.question(slot, exchange)) {
          this.#giveUp(slot, exchange, 'overload', refusals.OVERLOAD);
        }
      } else {
        this.#answerDue.remove(slot);
        this.#send(slot, exchange, body);
      }
    }
  }

  #finish(slot: number, exchange: OpenExchange, { status, headers, body }: Answer): void {
    this.counters.countAnswer(status);
    this.counters.bytesOut += body.length;
    this.#end(slot, exchange);
    exchange.http.answer(status, headers, body);
  }

  #timeOut(slot: number, exchange: OpenExchange): void {
    this.counters.timeouts += 1;
    this.#sender.closed(slot, exchange);
    this.#end(slot, exchange);
    const { status, headers, body } = refusals.UNANSWERED;
    exchange.http.answer(status, headers, body);
  }

  #giveUp(
    slot: number,
    exchange: OpenExchange,
    reason: keyof Counters['refused'],
    refusal: refusals.Refusal,
  ): void {
    this.#end(slot, exchange);
    this.#refuse(exchange.http, reason, refusal);
  }

  /** Its node was lost, and its session with it where the node has been away for long. */
  #refuseLost(slot: number, exchange: OpenExchange): void {
    if (exchange.sid !== undefined && exchange.node.isGone(this.#now)) {
      this.#giveUp(slot, exchange, 'unknown_sid', refusals.UNKNOWN_SID);
    } else {
      this.#giveUp(slot, exchange, 'node_lost', refusals.NODE_LOST);
    }
  }

  /** Frees the slot; from here on its ConnId is stale, and whoever monitors it hears so. */
  #end(slot: number, exchange: OpenExchange): void {
    const connId = this.#sender.connId(slot);
    this.#answerDue.remove(slot);
    this.#returnDue.remove(slot);
    exchange.node.outbox.forget(slot);
    this.#exchanges.remove(slot);
    this.#node.exited(connId, NORMAL);
  }

  #refuse(
    http: HttpExchange,
    reason: keyof Counters['refused'],
    { status, headers, body }: refusals.Refusal,
  ): 0 {
    this.counters.refused[reason] += 1;
    http.answer(status, headers, body);
    return 0;
  }
}
