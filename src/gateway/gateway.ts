/**
 * The flow from a request to its answer.
 *
 *   request ─▶ peek at the sid ─▶ pick the node ─▶ take a slot, send {ConnId, Body} ─▶ held
 *   held ─▶ an answer to its ConnId ─▶ answered
 *        ─▶ the client went away, or nobody answered in time ─▶ {ConnId, closed, Sid}
 *        ─▶ the link to its node was lost ─▶ 503, so that the client repeats it
 *
 * A request whose node is out of service waits, to be sent when the node is back or refused after a while. So the
 * repeats that follow a lost link meet a gateway that waits for them: clients resend the same rid at once after a
 * 5xx, but then back off for many seconds and soon give up.
 *
 * A node that is behind (`ClusterNode.takesRequests`) or said that it is full gets no new sessions; the requests of those it has wait, too, and
 * go in order as it catches up.
 */

import type { Logger } from 'pino';
import { decodeVersioned } from '../etf/decode.js';
import { atom, Pid, type Term } from '../etf/terms.js';
import type { HiddenNode, PidOwner } from '../node/hidden-node.js';
import type { Counters } from '../observe/counters.js';
import { AnswerReader } from './answer-reader.js';
import { type Answer, type Header, readAnswer } from './answers.js';
import { Cluster, type ClusterListener, type ClusterNode, MODULE } from './cluster.js';
import { Deadlines } from './deadlines.js';
import { DroppedAnswers } from './dropped-answers.js';
import { ExchangeTable } from './exchanges.js';
import { type ClientInfo, encodeMeta } from './meta.js';
import * as refusals from './refusals.js';
import { RequestEncoder } from './requests.js';
import { peekSid } from './sid.js';
import { WaitingRequests } from './waiting.js';

/** What the gateway needs of the hidden node. */
export type ErlangNode = Pick<
  HiddenNode,
  'name' | 'creation' | 'on' | 'adoptPids' | 'exited' | 'sendToName' | 'tellsEnds' | 'monitorName' | 'rpc'
>;

/** The HTTP side of an exchange. */
export interface HttpExchange {
  /** Called, if at all, before `request` returns. */
  client(): ClientInfo;
  /** Called once, unless the front said `closed` before. */
  answer(status: number, headers: readonly Header[], body: Buffer): void;
}

export interface GatewayOptions {
  /** Full names of the ejabberd nodes. */
  readonly nodes: readonly string[];
  readonly maxExchanges: number;
  /** Seconds until an exchange that nobody answers ends with 504. */
  readonly answerTimeout: number;
  /** Seconds that a request waits for its node's return. */
  readonly nodeReturnWait: number;
  /** Bytes of all requests that wait for their node, each with some for itself. */
  readonly maxWaiting: number;
}

interface OpenExchange {
  readonly http: HttpExchange;
  readonly node: ClusterNode;
  readonly sid: string | undefined;
}

const NORMAL = atom('normal');
/** Seconds that a node may go without new sessions at its word. */
const MAX_FULL = 60;

export class Gateway implements PidOwner, ClusterListener {
  readonly cluster: Cluster;
  readonly counters: Counters;
  readonly #node: ErlangNode;
  readonly #exchanges: ExchangeTable<OpenExchange>;
  readonly #encoder: RequestEncoder;
  readonly #answers: AnswerReader;
  readonly #answerDue: Deadlines;
  readonly #returnDue: Deadlines;
  readonly #waiting: WaitingRequests;
  readonly #dropped: DroppedAnswers;
  #stopping = false;
  /** Seconds; one coarse clock for all deadlines. */
  #now = 0;

  constructor(node: ErlangNode, options: GatewayOptions, counters: Counters, log: Logger) {
    this.#node = node;
    this.counters = counters;
    this.#exchanges = new ExchangeTable(options.maxExchanges);
    this.#encoder = new RequestEncoder(node.name, node.creation);
    this.#answers = new AnswerReader(node.name, node.creation);
    this.#answerDue = new Deadlines(options.maxExchanges, options.answerTimeout);
    this.#returnDue = new Deadlines(options.maxExchanges, options.nodeReturnWait);
    this.#waiting = new WaitingRequests(options.maxWaiting);
    this.#dropped = new DroppedAnswers(counters, log);
    this.cluster = new Cluster(node, options.nodes, log, this);
    node.on('unusable', (peer, error) => this.#dropped.malformed(error, peer));
    node.adoptPids(this);
  }

  get openExchanges(): number {
    return this.#exchanges.size;
  }

  /** The slot to give to `closed`, or 0 where the request is already answered. */
  request(http: HttpExchange, body: Buffer): number {
    this.counters.requests += 1;
    this.counters.bytesIn += body.length;
    if (this.#stopping) return this.#refuse(http, 'stopping', refusals.STOPPING);
    const sid = peekSid(body);
    const node = this.cluster.route(sid, this.#now);
    if (node === undefined) {
      if (sid !== undefined) return this.#refuse(http, 'unknown_sid', refusals.UNKNOWN_SID);
      if (this.cluster.isFull(this.#now)) return this.#refuse(http, 'full', refusals.FULL);
      if (this.cluster.inService > 0) return this.#refuse(http, 'busy', refusals.BUSY);
      return this.#refuse(http, 'no_node', refusals.NO_NODE);
    }
    const exchange: OpenExchange = { http, node, sid };
    const slot = this.#exchanges.add(exchange);
    if (slot === 0) return this.#refuse(http, 'overload', refusals.OVERLOAD);
    const isOpen = node.takesRequests ? this.#send(slot, exchange, body) : this.#wait(slot, exchange, body);
    return isOpen ? slot : 0;
  }

  /** The client of this exchange went away. */
  closed(slot: number): void {
    const exchange = this.#exchanges.get(slot);
    if (exchange === undefined) return;
    this.counters.closed += 1;
    this.#sendClosed(slot, exchange);
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

  /** The node has taken that many more requests. */
  credit(node: ClusterNode, count: number): void {
    // A node may know of requests from an earlier life of this gateway or of the link.
    node.onTheWay = Math.max(0, node.onTheWay - count);
    this.#sendWaiting(node);
  }

  /** The node takes no new sessions for so many seconds; those it has go on. */
  full(node: ClusterNode, seconds: number): void {
    node.fullUntil = this.#now + Math.min(seconds, MAX_FULL);
  }

  inService(node: ClusterNode): void {
    for (const slot of node.waiting.keys()) {
      this.#returnDue.remove(slot);
      this.#answerDue.add(slot, this.#now);
    }
    this.#sendWaiting(node);
  }

  outOfService(node: ClusterNode): void {
    for (const slot of node.waiting.keys()) {
      this.#answerDue.remove(slot);
      this.#returnDue.add(slot, this.#now);
    }
  }

  linkLost(node: ClusterNode): void {
    this.#exchanges.forEach((exchange, slot) => {
      if (exchange.node !== node || node.waiting.has(slot)) return;
      this.#giveUp(slot, exchange, 'node_lost', refusals.NODE_LOST);
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
      if (exchange !== undefined) this.#giveUp(slot, exchange, 'node_lost', refusals.NODE_LOST);
    }
    this.cluster.tick();
    this.#dropped.tick(now);
  }

  /** Ends every exchange with 503: clients repeat them at another gateway, and sessions keep what was not answered. */
  stop(): void {
    this.#stopping = true;
    this.cluster.stop();
    this.#exchanges.forEach((exchange, slot) => {
      this.#sendClosed(slot, exchange);
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
    if (exchange === undefined) this.#dropped.stale(peer);
    else this.#finish(connId.id, exchange, answer);
  }

  #find(connId: Pid): OpenExchange | undefined {
    return connId.creation === this.#node.creation
      ? this.#exchanges.find(connId.id, connId.serial)
      : undefined;
  }

  /** `false`: refused, because the node does not read what waits for it already. */
  #send(slot: number, exchange: OpenExchange, body: Buffer): boolean {
    const { node, sid, http } = exchange;
    const startsSession = sid === undefined;
    const meta = startsSession && node.kind === 'module' ? encodeMeta(http.client()) : undefined;
    const generation = this.#exchanges.generation(slot);
    const head = this.#encoder.requestHead(slot, generation, body.length, meta !== undefined);
    if (!this.#node.sendToName(node.name, MODULE, head, body, meta)) {
      this.#giveUp(slot, exchange, 'overload', refusals.OVERLOAD);
      return false;
    }
    node.onTheWay += 1;
    if (startsSession) node.sessionsStarted += 1;
    this.#answerDue.add(slot, this.#now);
    return true;
  }

  /** `false`: refused, because too much waits already. */
  #wait(slot: number, exchange: OpenExchange, body: Buffer): boolean {
    const isReturning = exchange.node.kind === undefined;
    if (!this.#waiting.add(exchange.node, slot, body)) {
      if (isReturning) this.#giveUp(slot, exchange, 'node_lost', refusals.NODE_LOST);
      else this.#giveUp(slot, exchange, 'busy', refusals.BUSY);
      return false;
    }
    (isReturning ? this.#returnDue : this.#answerDue).add(slot, this.#now);
    return true;
  }

  #sendWaiting(node: ClusterNode): void {
    for (const slot of node.waiting.keys()) {
      if (!node.takesRequests) return;
      const body = this.#waiting.take(node, slot);
      const exchange = this.#exchanges.get(slot);
      this.#answerDue.remove(slot);
      if (body !== undefined && exchange !== undefined) this.#send(slot, exchange, body);
    }
  }

  #sendClosed(slot: number, { node, sid }: OpenExchange): void {
    // A request that waits never got there.
    if (node.kind === undefined || node.waiting.has(slot)) return;
    const bytes = Buffer.from(sid ?? '', 'latin1');
    const head = this.#encoder.closedHead(slot, this.#exchanges.generation(slot), bytes.length);
    this.#node.sendToName(node.name, MODULE, head, bytes);
  }

  #finish(slot: number, exchange: OpenExchange, { status, headers, body }: Answer): void {
    this.counters.countAnswer(status);
    this.counters.bytesOut += body.length;
    this.#end(slot, exchange);
    exchange.http.answer(status, headers, body);
  }

  #timeOut(slot: number, exchange: OpenExchange): void {
    this.counters.timeouts += 1;
    this.#sendClosed(slot, exchange);
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

  /** Frees the slot; from here on its ConnId is stale, and whoever monitors it hears so. */
  #end(slot: number, exchange: OpenExchange): void {
    const connId = new Pid(this.#node.name, slot, this.#exchanges.generation(slot), this.#node.creation);
    this.#answerDue.remove(slot);
    this.#returnDue.remove(slot);
    this.#waiting.take(exchange.node, slot);
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
