/**
 * What goes to one node, in order: what waits to be sent, and what was sent and may not have arrived.
 *
 *   none       nothing of it is here: it is new, or taken: the node's module has it, and its body is let go
 *   waiting    its body is to be sent
 *   question   it was sent before a break, without its body now: what became of it is to be asked
 *   sent       and may not have arrived: its body is kept while there is room
 *
 *   event           none      waiting  question  sent
 *   wait            waiting   –        –         –
 *   wait, no room   ·         –        –         –
 *   sent            sent      sent     –         –
 *   sent, no room   ·         sent     –         –
 *   sentOther       ·         none     none      –
 *   taken           ·         ·        ·         none
 *   broken          ·         ·        –         waiting
 *   broken, asked   question  –        question  –
 *   ask             question  –        –         question
 *   handOver        –         none     none      –
 *   forget          ·         none     none      none
 *
 * A dot: nothing changes; a dash: does not happen. asked: its exchange is open, and its body is not here. handOver: it waits for
 * another node from now on, as it did for this one.
 *
 * All that is sent is counted. Now and then the place is marked (`{Gateway, mark, Place}`), and the module says when it
 * comes to the mark (`{taken, Place}`): so everything before was taken, or lost in a break. No break makes that untrue.
 *
 * After a break everything goes again that may be lost: of requests whose bodies are still here the bodies, of all
 * others the question what became of them.
 */

import { Histogram } from '../observe/histogram.js';
import type { TurnClock } from '../observe/turn-clock.js';

/** What may be on its way to a node that it has not taken. What it cannot take yet waits here, its mailbox stays small. */
const WINDOW = 1024;
/** Seconds after which a mark should have been answered. */
const SILENT = 3;
/** How much is sent from one mark to the next while there is more to send. */
const MARK_EVERY = 128;
/** What a request costs beside its body. With it the limit in bytes bounds their number, too. */
const OVERHEAD = 512;

/** Bytes that the bodies of all nodes' requests may take. Half of it is for those alone that wait. */
export class BodyBudget {
  readonly #max: number;
  #used = 0;

  constructor(max: number) {
    this.#max = max;
  }

  takeToWait(body: Buffer): boolean {
    return this.#take(body, this.#max);
  }

  takeOnTheWay(body: Buffer): boolean {
    return this.#take(body, this.#max / 2);
  }

  give(body: Buffer | undefined): void {
    if (body !== undefined) this.#used -= body.length + OVERHEAD;
  }

  #take(body: Buffer, max: number): boolean {
    const cost = body.length + OVERHEAD;
    if (this.#used + cost > max) return false;
    this.#used += cost;
    return true;
  }
}

interface Sent {
  readonly place: number;
  readonly body: Buffer;
}

/** The body of a request, or `undefined` for the question what became of one. */
export type Unsent = Buffer | undefined;

export class Outbox {
  readonly #budget: BodyBudget;
  /** By slot and in order: a Map lets go of one in the middle at no cost. */
  #waiting = new Map<number, Unsent>();
  readonly #sent = new Map<number, Sent>();
  #place = 0;
  #markedPlace = 0;
  #takenPlace = 0;
  /** Seconds for which marks have been sent and nothing was taken. */
  #silent = 0;
  /** From a mark to the word that the module came to it: how far it is behind. One mark at a time is timed. */
  readonly delay = new Histogram();
  #timedPlace = 0;
  #timedSince = 0;

  constructor(budget: BodyBudget) {
    this.#budget = budget;
  }

  /** In order. What is sent or forgotten meanwhile is left out. */
  get waiting(): ReadonlyMap<number, Unsent> {
    return this.#waiting;
  }

  /** What was sent, and not taken as far as we know. */
  get onTheWay(): number {
    return this.#place - this.#takenPlace;
  }

  get hasRoom(): boolean {
    return this.credit > 0;
  }

  /** How much more may be sent. */
  get credit(): number {
    return Math.max(0, WINDOW - this.onTheWay);
  }

  /** The module should have come to a mark long ago: it stands still, or cannot keep up. */
  get isSilent(): boolean {
    return this.#silent >= SILENT;
  }

  /** Whether that request's body is still here. */
  hasBody(slot: number): boolean {
    return this.#sent.has(slot) || this.#waiting.get(slot) !== undefined;
  }

  /** `false`: there is no room. The body is copied: as a view it could keep far more alive than itself. */
  wait(slot: number, body: Buffer): boolean {
    if (!this.#budget.takeToWait(body)) return false;
    const copy = Buffer.allocUnsafeSlow(body.length);
    copy.set(body);
    this.#waiting.set(slot, copy);
    return true;
  }

  /** That request was sent, from here or at once. Its body is kept for a while if there is room. */
  sent(slot: number, body: Buffer): void {
    this.#place += 1;
    const own = this.#waiting.get(slot);
    if (own !== undefined) this.#waiting.delete(slot);
    else if (!this.#budget.takeOnTheWay(body)) return;
    this.#sent.set(slot, { place: this.#place, body: own ?? Buffer.from(body) });
  }

  /** Something was sent that needs no body when it is lost. */
  sentOther(slot: number): void {
    this.#place += 1;
    this.forget(slot);
  }

  /** That request has its answer, or nobody waits for it any more. */
  forget(slot: number): void {
    if (this.#sent.size > 0) {
      this.#budget.give(this.#sent.get(slot)?.body);
      this.#sent.delete(slot);
    }
    if (this.#waiting.size > 0) {
      this.#budget.give(this.#waiting.get(slot));
      this.#waiting.delete(slot);
    }
  }

  /** What became of it is to be asked, though there was no break: it may have been passed on, and be lost where it went. */
  ask(slot: number): void {
    this.forget(slot);
    this.#waiting.set(slot, undefined);
  }

  /** What waits waits in the other one from now on, behind what is there. */
  handOver(slot: number, to: Outbox): void {
    to.#waiting.set(slot, this.#waiting.get(slot));
    this.#waiting.delete(slot);
  }

  /** The place to mark now, 0 for none. @param quiet nothing more is being sent */
  markDue(quiet: boolean): number {
    const unmarked = this.#place - this.#markedPlace;
    return unmarked >= (quiet ? 1 : MARK_EVERY) ? this.#place : 0;
  }

  /** Once a second. */
  tick(): void {
    this.#silent = this.#markedPlace > this.#takenPlace ? this.#silent + 1 : 0;
  }

  /** @param clock asked only for a mark that is timed */
  marked(place: number, clock: Pick<TurnClock, 'now'>): void {
    this.#markedPlace = place;
    if (this.#timedPlace !== 0) return;
    this.#timedPlace = place;
    this.#timedSince = clock.now;
  }

  /** The module came to that mark. */
  taken(place: number, clock: Pick<TurnClock, 'since'>): void {
    if (place <= this.#takenPlace || place > this.#place) return;
    this.#takenPlace = place;
    this.#silent = 0;
    if (this.#timedPlace !== 0 && place >= this.#timedPlace) {
      this.delay.observe(clock.since(this.#timedSince));
      this.#timedPlace = 0;
    }
    for (const [slot, sent] of this.#sent) {
      if (sent.place > place) return;
      this.#budget.give(sent.body);
      this.#sent.delete(slot);
    }
  }

  /** What was sent may be lost, and marks, too. @param questions the requests that have no body here, in order */
  broken(questions: Iterable<number>): void {
    const again = new Map<number, Unsent>();
    for (const slot of questions) again.set(slot, undefined);
    for (const [slot, { body }] of this.#sent) again.set(slot, body);
    for (const [slot, body] of this.#waiting) if (body !== undefined) again.set(slot, body);
    this.#sent.clear();
    this.#waiting = again;
    this.#markedPlace = this.#takenPlace;
    this.#timedPlace = 0;
  }
}
