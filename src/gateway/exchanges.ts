/**
 * The open exchanges: carries out what their life (exchange.ts) asks for when something happens to one, or to its node.
 *
 * Each has a slot and so a ConnId (slot-table.ts), a deadline while its node is in service, another one while that is away,
 * and where it waits or may be lost, a place among what goes to its node (outbox.ts).
 */

import { atom, Pid } from '../etf/terms.js';
import type { Counters } from '../observe/counters.js';
import type { Answer } from './answers.js';
import type { ClusterNode, NodeListener, PeerKind } from './cluster-node.js';
import { Deadlines } from './deadlines.js';
import { type Exchange, type ExchangeEvent, LIFE, type Step } from './exchange.js';
import type { Unsent } from './outbox.js';
import type { Clock, ErlangNode, HttpExchange, HttpRequest } from './ports.js';
import * as refusals from './refusals.js';
import type { Sender } from './sender.js';
import { SlotTable } from './slot-table.js';

export interface ExchangeLimits {
  readonly maxExchanges: number;
  /** Seconds until an exchange that nobody answers ends with 504. */
  readonly answerTimeout: number;
  /** Seconds that a request waits for its node's return. */
  readonly nodeReturnWait: number;
}

const NORMAL = atom('normal');

export class Exchanges implements NodeListener {
  readonly #node: ErlangNode;
  readonly #counters: Counters;
  readonly #clock: Clock;
  readonly #table: SlotTable<Exchange>;
  readonly #answerDue: Deadlines;
  readonly #returnDue: Deadlines;
  readonly #sender: Sender;

  constructor(node: ErlangNode, sender: Sender, limits: ExchangeLimits, counters: Counters, clock: Clock) {
    this.#node = node;
    this.#sender = sender;
    this.#counters = counters;
    this.#clock = clock;
    this.#table = new SlotTable(limits.maxExchanges);
    this.#answerDue = new Deadlines(limits.maxExchanges, limits.answerTimeout);
    this.#returnDue = new Deadlines(limits.maxExchanges, limits.nodeReturnWait);
  }

  /** How many are open. */
  get size(): number {
    return this.#table.size;
  }

  isOpen(connId: Pid): boolean {
    return this.#find(connId) !== undefined;
  }

  /** The slot of a new one, or 0 where it is over already. @param node takes sessions where there is no `sid` */
  begin(
    http: HttpExchange,
    node: ClusterNode,
    sid: string | undefined,
    rid: number,
    request: HttpRequest,
  ): number {
    const exchange: Exchange = { http, node, sid, rid, state: sid === undefined ? 'starting' : 'waiting' };
    const slot = this.#table.add(exchange);
    if (slot === 0) {
      refusals.refuse(http, this.#counters, refusals.OVERLOAD);
      return 0;
    }
    if (!node.takesRequests) return this.#wait(slot, exchange, request.body) ? slot : 0;
    if (!this.#send(slot, exchange, request.body, request)) return 0;
    this.#due(this.#answerDue, slot);
    return slot;
  }

  /** `false`: the answer is of no use. */
  answer(connId: Pid, { status, headers, body }: Answer): boolean {
    const exchange = this.#find(connId);
    if (exchange === undefined || this.#step(connId.id, exchange, 'answer').effect === 'drop') return false;
    this.#counters.countAnswer(status);
    this.#counters.bytesOut += body.length;
    exchange.http.answer(status, headers, body);
    return true;
  }

  clientLeft(slot: number): void {
    const exchange = this.#table.get(slot);
    if (exchange === undefined) return;
    this.#counters.closed += 1;
    this.#step(slot, exchange, 'clientLeft');
  }

  /** What is held is to be answered now, as if its time were over; its answer comes like any other. */
  release(slot: number): void {
    const exchange = this.#table.get(slot);
    if (exchange === undefined || this.#step(slot, exchange, 'release').effect !== 'release') return;
    this.#sender.release(this.#connId(slot), exchange);
  }

  /** One pass over all exchanges. */
  killed(node: ClusterNode, sids: ReadonlySet<string>): void {
    this.#forEachOf(node, (exchange, slot) => {
      if (exchange.sid === undefined || !sids.has(exchange.sid)) return;
      this.#refuse(slot, exchange, 'killed', refusals.UNKNOWN_SID);
    });
  }

  outOfService(node: ClusterNode, kind: PeerKind): void {
    // Whoever has a ConnId may answer it still, without a module.
    if (kind === 'plain') return;
    const questions: { readonly slot: number; readonly rid: number }[] = [];
    this.#forEachOf(node, (exchange, slot) => {
      if (this.#refuse(slot, exchange, 'moduleDown', refusals.NODE_LOST)) return;
      if (!node.outbox.hasBody(slot)) questions.push({ slot, rid: exchange.rid });
      this.#due(this.#returnDue, slot);
    });
    // A session answers as it is asked: its answers are to come in the order of its requests.
    questions.sort((a, b) => a.rid - b.rid);
    node.outbox.broken(questions.map(({ slot }) => slot));
  }

  connectionLost(node: ClusterNode): void {
    this.#forEachOf(node, (exchange, slot) =>
      this.#refuse(slot, exchange, 'connectionDown', lossOf(exchange)),
    );
  }

  inService(node: ClusterNode): void {
    for (const [slot, body] of node.outbox.waiting) {
      this.#due(this.#answerDue, slot);
      const exchange = this.#table.get(slot);
      if (node.kind === 'module' || body !== undefined || exchange === undefined) continue;
      this.#refuse(slot, exchange, 'cannotAsk', refusals.NODE_LOST);
    }
    this.#sender.mark(node, true);
    this.sendWaiting(node);
  }

  /** In order, as many as it takes. */
  sendWaiting(node: ClusterNode): void {
    for (const [slot, body] of node.outbox.waiting) {
      if (!node.takesRequests) return;
      const exchange = this.#table.get(slot);
      if (exchange !== undefined) this.#send(slot, exchange, body);
    }
  }

  /** Every second. @param nodes may have been sent something since their last marks */
  tick(nodes: Iterable<ClusterNode>): void {
    this.#expire(this.#answerDue, (slot, exchange) =>
      this.#refuse(slot, exchange, 'late', refusals.UNANSWERED),
    );
    this.#expire(this.#returnDue, (slot, exchange) => this.#refuse(slot, exchange, 'away', lossOf(exchange)));
    for (const node of nodes) this.#sender.mark(node, true);
  }

  /** Clients repeat their requests at another gateway, and sessions keep what was not answered. */
  stop(): void {
    this.#table.forEach((exchange, slot) => {
      this.#refuse(slot, exchange, 'stopping', refusals.STOPPING);
    });
  }

  /** The one place where an exchange's state changes. */
  #step(slot: number, exchange: Exchange, event: ExchangeEvent): Step {
    const step = LIFE[event][exchange.state];
    if (step.effect === 'tell') this.#sender.closed(slot, this.#table.generation(slot), exchange);
    if (step.to === 'over') this.#free(slot, exchange);
    else if (step.to !== 'same') exchange.state = step.to;
    return step;
  }

  /** Where this event is its end, its client hears `refusal`. Returns whether it is. */
  #refuse(slot: number, exchange: Exchange, event: ExchangeEvent, refusal: refusals.Refusal): boolean {
    if (this.#step(slot, exchange, event).to !== 'over') return false;
    refusals.refuse(exchange.http, this.#counters, refusal);
    return true;
  }

  /** Its turn has come. @param body `undefined` for the question what became of it. Returns whether it goes on. */
  #send(slot: number, exchange: Exchange, body: Unsent, from?: HttpRequest): boolean {
    if (this.#step(slot, exchange, 'turn').effect !== 'send') return true;
    const isSent =
      body === undefined
        ? this.#sender.question(slot, this.#connId(slot), exchange)
        : this.#sender.request(slot, this.#table.generation(slot), exchange, body, from);
    if (!isSent) return !this.#refuse(slot, exchange, 'noRoom', refusals.OVERLOAD);
    if (exchange.sid === undefined) exchange.node.countSession();
    return true;
  }

  /** Returns whether it goes on: not where too much waits already. */
  #wait(slot: number, exchange: Exchange, body: Buffer): boolean {
    const { node } = exchange;
    const isReturning = node.kind === undefined;
    if (!node.outbox.wait(slot, body)) {
      return !this.#refuse(slot, exchange, 'noRoom', isReturning ? lossOf(exchange) : refusals.BUSY);
    }
    this.#due(isReturning ? this.#returnDue : this.#answerDue, slot);
    return true;
  }

  /** From now on this deadline holds for it, and no other. */
  #due(deadlines: Deadlines, slot: number): void {
    this.#answerDue.remove(slot);
    this.#returnDue.remove(slot);
    deadlines.add(slot, this.#clock.now);
  }

  #expire(deadlines: Deadlines, act: (slot: number, exchange: Exchange) => void): void {
    for (
      let slot = deadlines.takeDue(this.#clock.now);
      slot !== 0;
      slot = deadlines.takeDue(this.#clock.now)
    ) {
      const exchange = this.#table.get(slot);
      if (exchange !== undefined) act(slot, exchange);
    }
  }

  #forEachOf(node: ClusterNode, visit: (exchange: Exchange, slot: number) => void): void {
    this.#table.forEach((exchange, slot) => {
      if (exchange.node === node) visit(exchange, slot);
    });
  }

  #find(connId: Pid): Exchange | undefined {
    return connId.creation === this.#node.creation ? this.#table.find(connId.id, connId.serial) : undefined;
  }

  #connId(slot: number): Pid {
    return new Pid(this.#node.name, slot, this.#table.generation(slot), this.#node.creation);
  }

  /** Frees the slot; from here on its ConnId is stale, and whoever monitors it hears so. */
  #free(slot: number, { node }: Exchange): void {
    const connId = this.#connId(slot);
    this.#answerDue.remove(slot);
    this.#returnDue.remove(slot);
    node.outbox.forget(slot);
    this.#table.remove(slot);
    this.#node.exited(connId, NORMAL);
  }
}

/** Its node is lost, and its session with it where the node has been away for longer than its sessions can live. */
function lossOf({ sid, node }: Exchange): refusals.Refusal {
  return sid !== undefined && node.isGone ? refusals.UNKNOWN_SID : refusals.NODE_LOST;
}
