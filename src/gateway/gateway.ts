/**
 * The flow from a request to its answer.
 *
 *   request ─▶ peek at the sid ─▶ pick the node ─▶ take a slot, send {ConnId, Body} ─▶ held
 *   held ─▶ an answer to its ConnId ─▶ answered
 *        ─▶ the client went away, or nobody answered in time ─▶ {ConnId, closed, Sid}
 *        ─▶ the link to its node was lost ─▶ 503, so that the client repeats it
 *
 * A request whose node is out of service is parked, then sent when the node is back or refused after a while. So the
 * repeats that follow a lost link meet a gateway that waits for them: clients resend the same rid at once after a
 * 5xx, but then back off for many seconds and soon give up.
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

/** What the gateway needs of the hidden node. */
export type ErlangNode = Pick<
  HiddenNode,
  'name' | 'creation' | 'on' | 'adoptPids' | 'exited' | 'sendToName' | 'monitorName' | 'rpc'
>;

/** The HTTP side of an exchange. */
export interface HttpExchange {
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
}

interface OpenExchange {
  readonly http: HttpExchange;
  readonly node: ClusterNode;
  readonly sid: string | undefined;
  /** The body of a request that waits for its node's return. */
  parked: Buffer | undefined;
}

/** What all parked bodies may take together. */
const MAX_PARKED_BYTES = 64 * 1024 * 1024;

const NORMAL = atom('normal');

export class Gateway implements PidOwner, ClusterListener {
  readonly cluster: Cluster;
  readonly counters: Counters;
  readonly #node: ErlangNode;
  readonly #exchanges: ExchangeTable<OpenExchange>;
  readonly #encoder: RequestEncoder;
  readonly #answers: AnswerReader;
  readonly #answerDue: Deadlines;
  readonly #returnDue: Deadlines;
  readonly #dropped: DroppedAnswers;
  #parkedBytes = 0;
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
    this.#dropped = new DroppedAnswers(counters, log);
    this.cluster = new Cluster(node, options.nodes, log, this);
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
    const node = this.cluster.route(sid);
    if (node === undefined) {
      if (sid === undefined) return this.#refuse(http, 'no_node', refusals.NO_NODE);
      return this.#refuse(http, 'unknown_sid', refusals.UNKNOWN_SID);
    }
    const exchange: OpenExchange = { http, node, sid, parked: undefined };
    const slot = this.#exchanges.add(exchange);
    if (slot === 0) return this.#refuse(http, 'overload', refusals.OVERLOAD);
    const isOpen =
      node.kind === undefined ? this.#park(slot, exchange, body) : this.#send(slot, exchange, body);
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
    const term = this.decode(bytes.subarray(start, end), peer);
    if (term !== undefined) this.answer(term, to, peer);
  }

  /** `undefined`: no term that anyone could have meant as a message to us; it is counted. */
  decode(payload: Buffer, peer: string): Term | undefined {
    try {
      return decodeVersioned(payload);
    } catch (error) {
      this.#dropped.malformed(error, peer);
      return undefined;
    }
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

  #settle(connId: Pid, answer: Answer, peer: string): void {
    const exchange = this.#find(connId);
    if (exchange === undefined) this.#dropped.stale(peer);
    else this.#finish(connId.id, exchange, answer);
  }

  isAlive(connId: Pid): boolean {
    return this.#find(connId) !== undefined;
  }

  inService(node: ClusterNode): void {
    this.#exchanges.forEach((exchange, slot) => {
      const body = exchange.parked;
      if (exchange.node !== node || body === undefined) return;
      this.#unpark(slot, exchange);
      this.#send(slot, exchange, body);
    });
  }

  linkLost(node: ClusterNode): void {
    this.#exchanges.forEach((exchange, slot) => {
      if (exchange.node !== node || exchange.parked !== undefined) return;
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
    if (startsSession) node.sessionsStarted += 1;
    this.#answerDue.add(slot, this.#now);
    return true;
  }

  /** `false`: refused, because too much is parked already. */
  #park(slot: number, exchange: OpenExchange, body: Buffer): boolean {
    if (this.#parkedBytes + body.length > MAX_PARKED_BYTES) {
      this.#giveUp(slot, exchange, 'node_lost', refusals.NODE_LOST);
      return false;
    }
    exchange.parked = body;
    this.#parkedBytes += body.length;
    this.#returnDue.add(slot, this.#now);
    return true;
  }

  #unpark(slot: number, exchange: OpenExchange): void {
    if (exchange.parked === undefined) return;
    this.#parkedBytes -= exchange.parked.length;
    exchange.parked = undefined;
    this.#returnDue.remove(slot);
  }

  #sendClosed(slot: number, { node, sid, parked }: OpenExchange): void {
    // A parked request never got there.
    if (node.kind === undefined || parked !== undefined) return;
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
    this.#unpark(slot, exchange);
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
