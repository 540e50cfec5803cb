/**
 * What clients and their sessions do to exchanges: requests and answers. (What nodes do to them: node-events.ts.)
 */

import type { Pid } from '../etf/terms.js';
import { Paced } from '../paced.js';
import type { Answer } from './answers.js';
import { type ClusterNode, HERD_SECONDS } from './cluster-node.js';
import type { Exchange } from './exchange.js';
import { lossOf, type OpenExchanges } from './open-exchanges.js';
import type { Unsent } from './outbox.js';
import type { HttpExchange, HttpRequest } from './ports.js';
import * as refusals from './refusals.js';

/** Milliseconds in which those come together that are told in turns: questions are answered one by one. */
const GATHER_MS = 50;
/** Longer than an answer that says so. */
const MAX_END = 300;

interface Goodbye {
  readonly slot: number;
  readonly exchange: Exchange;
  /** `undefined`: its session was killed, or is lost with its node. */
  readonly answer: Answer | undefined;
}

export class Exchanges {
  readonly #open: OpenExchanges;
  readonly #goodbyes = new Paced<Goodbye>((goodbye) => this.#goodbye(goodbye), HERD_SECONDS);
  #gathered: Goodbye[] = [];

  constructor(open: OpenExchanges) {
    this.#open = open;
  }

  /** The slot of a new one, or 0 where it is over already. @param node takes sessions where there is no `sid` */
  begin(
    http: HttpExchange,
    node: ClusterNode,
    sid: string | undefined,
    rid: number,
    request: HttpRequest,
  ): number {
    const state = sid === undefined ? 'starting' : 'waiting';
    const isStray = sid !== undefined && !sid.startsWith(node.tag);
    const since = this.#open.counters.clock.now;
    const exchange: Exchange = { http, node, sid, rid, since, isStray, state };
    const slot = this.#open.add(exchange);
    if (slot === 0) {
      refusals.refuse(http, this.#open.counters, refusals.OVERLOAD);
      return 0;
    }
    if (!node.takesRequests) return this.#wait(slot, exchange, request.body) ? slot : 0;
    if (!this.#open.send(slot, exchange, request.body, request)) return 0;
    this.#open.deadlines.answer(slot);
    return slot;
  }

  /** `false`: the answer is of no use. */
  answer(connId: Pid, answer: Answer): boolean {
    const exchange = this.#open.find(connId);
    if (exchange === undefined) return false;
    if (exchange.isStray && isSessionOver(answer)) return this.#sessionOver(connId.id, exchange, answer);
    if (this.#open.step(connId.id, exchange, 'answer').effect === 'drop') return false;
    this.#answer(exchange, answer);
    return true;
  }

  /** Its session says where it has the request: on this node. `false`: the exchange is over. */
  session(connId: Pid, node: ClusterNode | undefined): boolean {
    const exchange = this.#open.find(connId);
    if (exchange === undefined) return false;
    const { node: before } = exchange;
    // A node that is not in service could not be asked again.
    if (node?.kind !== 'module' || this.#open.step(connId.id, exchange, 'session').effect !== 'adopt')
      return true;
    before.outbox.forget(connId.id);
    exchange.node = node;
    exchange.isStray = false;
    this.#open.deadlines.answer(connId.id);
    return true;
  }

  /**
   * Its node has no way to that one, where its session is.
   * @param isLost nor has anybody, for that one is no more
   * @param body empty where its node was only asked what became of it
   */
  noWay(connId: Pid, to: ClusterNode, isLost: boolean, body: Buffer): boolean {
    const exchange = this.#open.find(connId);
    if (exchange?.sid === undefined) return false;
    const slot = connId.id;
    if (isLost) return this.#sessionOver(slot, exchange, undefined);
    const { node: before, sid } = exchange;
    if (this.#open.step(slot, exchange, 'noWay').effect !== 'reroute') return false;
    before.outbox.forget(slot);
    exchange.node = to;
    exchange.isStray = !sid.startsWith(to.tag);
    const unsent = body.length > 0 ? body : undefined;
    this.#open.deadlines.answer(slot);
    if (to.takesRequests) this.#open.send(slot, exchange, unsent);
    else this.#wait(slot, exchange, unsent);
    return true;
  }

  clientLeft(slot: number): void {
    const exchange = this.#open.get(slot);
    if (exchange === undefined) return;
    this.#open.counters.closed += 1;
    this.#open.step(slot, exchange, 'clientLeft');
  }

  /** What is held is to be answered now, as if its time were over; its answer comes like any other. */
  release(slot: number): void {
    const exchange = this.#open.get(slot);
    if (exchange === undefined || this.#open.step(slot, exchange, 'release').effect !== 'release') return;
    this.#open.sender.release(this.#open.connId(slot), exchange);
  }

  /** One pass over all exchanges: one whose session moved is known by its sid alone. */
  killed(sids: ReadonlySet<string>): void {
    const killed: Goodbye[] = [];
    this.#open.forEach((exchange, slot) => {
      if (exchange.sid === undefined || !sids.has(exchange.sid)) return;
      if (this.#open.step(slot, exchange, 'killed').to !== 'ended') return;
      killed.push({ slot, exchange, answer: undefined });
    });
    void this.#goodbyes.add(killed);
  }

  /** Every second. */
  tick(): void {
    this.#open.deadlines.expire(
      (slot) => this.#expired(slot, 'late'),
      (slot) => this.#expired(slot, 'away'),
    );
  }

  /** Clients repeat their requests at another gateway, and sessions keep what was not answered. */
  stop(): void {
    this.#open.forEach((exchange, slot) => {
      this.#open.refuse(slot, exchange, 'stopping', refusals.STOPPING);
    });
    this.#gathered = [];
    this.#goodbyes.stop();
  }

  /** Returns whether it goes on: not where too much waits already. */
  #wait(slot: number, exchange: Exchange, body: Unsent): boolean {
    const { node } = exchange;
    const isReturning = node.kind === undefined;
    if (body === undefined) {
      node.outbox.ask(slot);
    } else if (!node.outbox.wait(slot, body)) {
      return !this.#open.refuse(slot, exchange, 'noRoom', isReturning ? lossOf(exchange) : refusals.BUSY);
    }
    if (isReturning) this.#open.deadlines.return(slot);
    else this.#open.deadlines.answer(slot);
    return true;
  }

  #expired(slot: number, event: 'late' | 'away'): void {
    const exchange = this.#open.get(slot);
    if (exchange === undefined) return;
    this.#open.refuse(slot, exchange, event, event === 'late' ? refusals.UNANSWERED : lossOf(exchange));
  }

  /** @param answer `undefined`: its node is no more */
  #sessionOver(slot: number, exchange: Exchange, answer: Answer | undefined): boolean {
    if (this.#open.step(slot, exchange, 'sessionOver').effect === 'drop') return false;
    // Its body is a view of far more that was received.
    const kept = answer && { ...answer, body: Buffer.from(answer.body) };
    if (this.#gathered.length === 0) setTimeout(() => this.#sayGoodbyes(), GATHER_MS);
    this.#gathered.push({ slot, exchange, answer: kept });
    return true;
  }

  #sayGoodbyes(): void {
    void this.#goodbyes.add(this.#gathered);
    this.#gathered = [];
  }

  /** It is the turn of one whose client has not left meanwhile. */
  #goodbye({ slot, exchange, answer }: Goodbye): void {
    if (this.#open.get(slot) !== exchange) return;
    this.#open.step(slot, exchange, 'goodbye');
    if (answer === undefined) refusals.refuse(exchange.http, this.#open.counters, refusals.UNKNOWN_SID);
    else this.#answer(exchange, answer);
  }

  #answer({ http, sid, since }: Exchange, { status, headers, body }: Answer): void {
    const { counters } = this.#open;
    counters.countAnswer(status);
    counters.bytesOut += body.length;
    const { latency } = counters;
    (sid === undefined ? latency.session : latency.request).observe(counters.clock.since(since));
    http.answer(status, headers, body);
  }
}

/** XEP-0124 §17.2. */
function isSessionOver({ body }: Answer): boolean {
  return body.length <= MAX_END && body.includes('terminate') && body.includes('item-not-found');
}
