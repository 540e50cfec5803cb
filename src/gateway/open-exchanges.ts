/**
 * The table of open exchanges, and the one place where the life of one goes on (exchange.ts).
 *
 * Each has a slot and so a ConnId (slot-table.ts), a deadline while its node is in service, another one while that is away,
 * and where it waits or may be lost, a place among what goes to its node (outbox.ts).
 */

import { atom, Pid } from '../etf/terms.js';
import type { Counters } from '../observe/counters.js';
import type { ClusterNode } from './cluster-node.js';
import { type Exchange, type ExchangeEvent, LIFE, type Step } from './exchange.js';
import { type DeadlineLimits, ExchangeDeadlines } from './exchange-deadlines.js';
import type { Unsent } from './outbox.js';
import type { Clock, ErlangNode, HttpRequest } from './ports.js';
import * as refusals from './refusals.js';
import type { Sender } from './sender.js';
import { SlotTable } from './slot-table.js';

const NORMAL = atom('normal');

export class OpenExchanges {
  readonly deadlines: ExchangeDeadlines;
  readonly counters: Counters;
  readonly sender: Sender;
  readonly #node: ErlangNode;
  readonly #table: SlotTable<Exchange>;

  constructor(node: ErlangNode, sender: Sender, limits: DeadlineLimits, counters: Counters, clock: Clock) {
    this.#node = node;
    this.sender = sender;
    this.counters = counters;
    this.#table = new SlotTable(limits.maxExchanges);
    this.deadlines = new ExchangeDeadlines(limits, clock);
  }

  /** How many are open. */
  get size(): number {
    return this.#table.size;
  }

  /** Its slot, or 0 where there is no room. */
  add(exchange: Exchange): number {
    return this.#table.add(exchange);
  }

  get(slot: number): Exchange | undefined {
    return this.#table.get(slot);
  }

  /** `undefined`: it is over. */
  find(connId: Pid): Exchange | undefined {
    return connId.creation === this.#node.creation ? this.#table.find(connId.id, connId.serial) : undefined;
  }

  connId(slot: number): Pid {
    return new Pid(this.#node.name, slot, this.#table.generation(slot), this.#node.creation);
  }

  forEach(visit: (exchange: Exchange, slot: number) => void): void {
    this.#table.forEach(visit);
  }

  forEachOf(node: ClusterNode, visit: (exchange: Exchange, slot: number) => void): void {
    this.#table.forEach((exchange, slot) => {
      if (exchange.node === node) visit(exchange, slot);
    });
  }

  /** Whether one is open there. */
  isUsed(node: ClusterNode): boolean {
    let isUsed = false;
    this.forEachOf(node, () => {
      isUsed = true;
    });
    return isUsed;
  }

  /** The one place where an exchange's state changes. */
  step(slot: number, exchange: Exchange, event: ExchangeEvent): Step {
    const step = LIFE[event][exchange.state];
    if (step.effect === 'tell') this.sender.closed(slot, this.#table.generation(slot), exchange);
    if (step.to === 'over') this.#free(slot, exchange);
    else if (step.to === 'ended') this.#forget(slot, exchange);
    if (step.to !== 'over' && step.to !== 'same') exchange.state = step.to;
    return step;
  }

  /** Where this event is its end, its client hears `refusal`. Returns whether it is. */
  refuse(slot: number, exchange: Exchange, event: ExchangeEvent, refusal: refusals.Refusal): boolean {
    if (this.step(slot, exchange, event).to !== 'over') return false;
    refusals.refuse(exchange.http, this.counters, refusal);
    return true;
  }

  /** Its turn has come. @param body `undefined` for the question what became of it. Returns whether it goes on. */
  send(slot: number, exchange: Exchange, body: Unsent, from?: HttpRequest): boolean {
    if (this.step(slot, exchange, 'turn').effect !== 'send') return true;
    const isSent =
      body === undefined
        ? this.sender.question(slot, this.connId(slot), exchange)
        : this.sender.request(slot, this.#table.generation(slot), exchange, body, from);
    if (!isSent) return !this.refuse(slot, exchange, 'noRoom', refusals.OVERLOAD);
    if (exchange.sid === undefined) exchange.node.room.countSession();
    return true;
  }

  /** Frees the slot; from here on its ConnId is stale, and whoever monitors it hears so. */
  #free(slot: number, exchange: Exchange): void {
    const connId = this.connId(slot);
    this.#forget(slot, exchange);
    this.#table.remove(slot);
    this.#node.exited(connId, NORMAL);
  }

  /** Nothing of it waits any more. */
  #forget(slot: number, { node }: Exchange): void {
    this.deadlines.remove(slot);
    node.outbox.forget(slot);
  }
}

/** Its node is lost, and its session with it where the node has been away for longer than its sessions can live. */
export function lossOf({ sid, node, isStray }: Exchange): refusals.Refusal {
  return sid !== undefined && node.isGone && !isStray ? refusals.UNKNOWN_SID : refusals.NODE_LOST;
}
