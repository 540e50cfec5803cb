/**
 * A page that polls: its request is answered with what comes, all of one turn together, and it asks again with the place of the last one.
 *
 *   phase      what it waits for                      for how long
 *   asked      the answer whether it may listen       ANSWER_TIME
 *   listening  an event                               POLL_TIME, or as long as it may listen
 *   ready      the end of the turn, for more          -
 *   over
 *
 *   in phase   admit      refuse    event     turn      dismiss   time      release   left
 *   asked      listening  over+403  –         –         –         over+504  over+503  over
 *   listening  –          –         ready     –         over+204  over+204  over+200  over
 *   ready      –          –         ready     over+200  over+200  –         over+200  over
 *   over       ·          ·         –         ·         ·         ·         –         –
 *
 * Behind a plus is what the client hears. A request of HEAD is over as it is admitted, and more than a page may leave unread does not wait for the turn's end.
 */

import type { Listening, Page } from '../../comet/ports.js';
import type { Header } from '../../gateway/answers.js';
import type { HttpExchange } from '../../gateway/ports.js';
import { ANSWER_TIME, after } from '../front.js';
import { NOT_GRANTED, STOPPING } from '../replies.js';
import type { Reply } from '../response.js';
import type { Visitor } from './admission.js';
import type { Asked } from './asked.js';
import type { CometFront } from './comet-front.js';

export type PollPhase = 'asked' | 'listening' | 'ready' | 'over';

/** Seconds. */
const POLL_TIME = 60;

const HEADERS: readonly Header[] = [
  ['content-type', 'application/json; charset=utf-8'],
  ['cache-control', 'no-store'],
];
const NOTHING = Buffer.alloc(0);
const COMMA = Buffer.from(',');

export class Poll implements Page, Visitor {
  readonly form = 'poll';
  readonly #exchange: HttpExchange;
  readonly #comet: Omit<CometFront, 'polls'>;
  /** Until it is admitted: what it shows for that may be long. */
  #asked: Asked | undefined;
  /** It is over, and told nobody else. */
  readonly #onOver: () => void;
  #phase: PollPhase = 'asked';
  #deadline: number;
  #handle = 0;
  #listening: Listening | undefined = undefined;
  #events: Buffer[] = [];
  #bytes = 0;

  constructor(exchange: HttpExchange, comet: Omit<CometFront, 'polls'>, asked: Asked, onOver: () => void) {
    this.#exchange = exchange;
    this.#comet = comet;
    this.#asked = asked;
    this.#onOver = onOver;
    this.#deadline = after(comet, ANSWER_TIME);
  }

  get phase(): PollPhase {
    return this.#phase;
  }

  begin(): void {
    if (this.#asked !== undefined) this.#handle = this.#comet.admission.ask(this, this.#asked);
  }

  admit(ids: readonly string[], seconds: number): void {
    if (this.#phase !== 'asked' || this.#asked === undefined) return;
    const { isHead, place } = this.#asked;
    this.#asked = undefined;
    this.#become('listening', after(this.#comet, Math.min(POLL_TIME, seconds)));
    if (isHead) {
      this.#answer(200, NOTHING);
      return;
    }
    const listening = this.#comet.service.listen(this, ids, place);
    if (this.#isOver) listening.leave();
    else this.#listening = listening;
  }

  refuse(reply: Reply): void {
    if (this.#phase !== 'asked') return;
    if (reply.reason !== undefined) this.#comet.counters.refused[reply.reason] += 1;
    this.#end();
    this.#exchange.answer(reply.status, reply.headers, reply.body);
  }

  write(event: Buffer): void {
    if (this.#isOver) return;
    this.#events.push(event);
    this.#bytes += event.length + 1;
    if (this.#bytes > this.#comet.maxUnread) this.#answerEvents();
    else if (this.#phase === 'listening') {
      this.#become('ready', this.#deadline);
      setImmediate(() => this.#phase === 'ready' && this.#answerEvents());
    }
  }

  dismiss(): void {
    if (this.#phase === 'listening') this.#answer(204, NOTHING);
    else if (this.#phase === 'ready') this.#answerEvents();
  }

  /** Its client is to go elsewhere. */
  release(): void {
    if (this.#phase === 'asked') this.refuse(STOPPING);
    else if (!this.#isOver) this.#answerEvents();
  }

  /** Its client is gone. */
  left(): void {
    if (!this.#isOver) this.#end();
  }

  expire(now: number): void {
    if (this.#deadline > now) return;
    if (this.#phase === 'asked') this.#timeOut();
    else if (this.#phase === 'listening') this.#answer(204, NOTHING);
  }

  get #isOver(): boolean {
    return this.#phase === 'over';
  }

  /** The one place where its phase changes. */
  #become(phase: PollPhase, deadline: number): void {
    this.#phase = phase;
    this.#deadline = deadline;
  }

  #timeOut(): void {
    this.#comet.counters.timeouts += 1;
    this.refuse(NOT_GRANTED);
  }

  #answerEvents(): void {
    const parts = this.#events.flatMap((event, index) => (index === 0 ? [event] : [COMMA, event]));
    this.#answer(200, Buffer.concat([Buffer.from('['), ...parts, Buffer.from(']')]));
  }

  #answer(status: number, body: Buffer): void {
    this.#end();
    this.#exchange.answer(status, status === 204 ? [] : HEADERS, body);
  }

  #end(): void {
    this.#become('over', this.#deadline);
    this.#listening?.leave();
    this.#listening = undefined;
    this.#events = [];
    if (this.#handle !== 0) this.#comet.admission.left(this.#handle);
    this.#handle = 0;
    this.#onOver();
  }
}
