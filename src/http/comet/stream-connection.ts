/**
 * A page's stream of events over HTTP, from its request on: server-sent events, or the plain stream.
 *
 *   phase   what it waits for                                      for how long
 *   asked   the answer whether it may listen                       ANSWER_TIME
 *   open    events                                                 BEAT since the last one, then its place again; as long as it may listen
 *   ended   the client, to close: all was written, and the end     LINGER (requestTimeout, while there is something unread)
 *
 *   in phase      admit     refuse     event       dismiss  beat       over   late    stop       stopWait
 *   asked         open+200  ended+403  –           –        –          –      ended+504  ended+503  ·
 *   open          –         –          open+event  ended    open+beat  ended  –       ended      ·
 *   open, unread  –         –          open+event  ended    open+beat  ended  closed  ended      ·
 *   open, full    –         –          closed      ended    closed     ended  closed  ended      ·
 *   ended         ·         ·          –           ·        –          –      closed  ·          ·
 *
 * Behind a plus is what the client hears. over: it may listen no longer; late: nothing came, or was read, in time; unread: the kernel has not taken all;
 * full: more of that than a page may leave. What the client sends behind its request is passed over. It costs this object, and what comet keeps of it.
 */

import type { Form, Listening, Page } from '../../comet/ports.js';
import { corsLines } from '../cors-lines.js';
import { leave } from '../entrance.js';
import { ANSWER_TIME, after, type Front, LINGER, NEVER } from '../front.js';
import { MAX_SKIPPED } from '../incoming.js';
import { NOT_GRANTED, STOPPING } from '../replies.js';
import { CLOSE, encodeHead, encodeResponse, type Reply } from '../response.js';
import type { Guest } from '../room.js';
import { type Takeover, takeOver } from '../take-over.js';
import type { Wire } from '../wire.js';
import type { Visitor } from './admission.js';
import type { Asked } from './asked.js';
import type { CometFront } from './comet-front.js';
import { gently } from './gently.js';

export type StreamPhase = 'asked' | 'open' | 'ended' | 'closed';

/** Seconds. */
const BEAT = 25;

const LAST_CHUNK = Buffer.from('0\r\n\r\n');
const NOTHING = Buffer.alloc(0);

export class StreamConnection implements Guest, Page, Visitor {
  readonly address: string;
  readonly form: Form;
  freeSince = 0;
  older: Guest | undefined = undefined;
  newer: Guest | undefined = undefined;
  readonly #front: Front;
  readonly #comet: CometFront;
  readonly #wire: Wire;
  #phase: StreamPhase = 'asked';
  /** When this phase has lasted too long, in seconds of the front's clock. */
  #deadline: number;
  /** When the next beat is due. */
  #beatAt = NEVER;
  /** When the kernel must have taken what it has not. */
  #readBy = NEVER;
  /** Until it is admitted or refused: what it asked for, and the header lines of its answer. */
  #asked: { readonly asked: Asked; readonly lines: string } | undefined;
  /** Whom to tell that it is gone; 0: nobody. */
  #handle = 0;
  #listening: Listening | undefined = undefined;
  #passed = 0;

  constructor(wire: Wire, front: Front, comet: CometFront, address: string, asked: Asked, lines: string) {
    this.#wire = wire;
    this.#front = front;
    this.#comet = comet;
    this.address = address;
    this.form = asked.transport === 'sse' ? 'sse' : asked.isHttp11 ? 'chunked' : 'raw';
    this.#asked = { asked, lines };
    this.#deadline = after(front, ANSWER_TIME);
  }

  get phase(): StreamPhase {
    return this.#phase;
  }

  get isOpen(): boolean {
    return this.#phase === 'open';
  }

  /** @param rest what came behind the request */
  begin(rest: Buffer): void {
    this.receive(rest);
    if (this.#asked !== undefined) this.#handle = this.#comet.admission.ask(this, this.#asked.asked);
  }

  receive(bytes: Buffer): void {
    this.#passed += bytes.length;
    if (this.#passed > MAX_SKIPPED) this.destroy();
  }

  admit(ids: readonly string[], seconds: number): void {
    if (this.#phase !== 'asked' || this.#asked === undefined) return;
    const { asked, lines } = this.#asked;
    this.#asked = undefined;
    this.#become('open', Math.min(NEVER, after(this.#front, seconds)));
    this.#wire.write(headOf(this.form, lines));
    // A plain stream has no places: it begins where it opens.
    const listening = this.#comet.service.listen(this, ids, this.form === 'sse' ? asked.place : undefined);
    this.#beatAt = after(this.#front, BEAT);
    if (this.isOpen) this.#listening = listening;
    else listening.leave();
  }

  refuse(reply: Reply): void {
    if (this.#phase !== 'asked') return;
    if (reply.reason !== undefined) this.#front.counters.refused[reply.reason] += 1;
    const lines = (this.#asked?.lines ?? '') + CLOSE;
    this.#wire.write(encodeResponse(gently(reply, this.form === 'sse' ? 'sse' : 'stream'), lines, false));
    this.#end();
  }

  write(bytes: Buffer): void {
    if (this.#phase !== 'open') return;
    if (this.#wire.writableLength > this.#comet.maxUnread) {
      this.#cut();
      return;
    }
    this.#wire.write(bytes);
    this.#beatAt = after(this.#front, BEAT);
    if (this.#readBy === NEVER && this.#wire.writableLength > 0) this.#watch();
  }

  dismiss(): void {
    if (this.#phase === 'open') this.#finish();
  }

  /** This gateway stops, and it is this one's turn to go elsewhere. */
  stop(): void {
    if (this.#phase === 'asked') this.refuse(STOPPING);
    else if (this.#phase === 'open') this.#finish();
  }

  stopWaiting(): void {}

  destroy(): void {
    this.#close();
    this.#wire.destroy();
  }

  closed(): void {
    this.#close();
    leave(this, this.#front);
  }

  expire(): void {
    const { now } = this.#front;
    if (this.#phase === 'open') {
      if (this.#deadline <= now) this.#finish();
      else if (this.#readBy <= now) this.#cut();
      else if (this.#beatAt <= now) this.#beat();
    } else if (this.#deadline > now) return;
    else if (this.#phase === 'asked') this.#timeOut();
    else this.destroy();
  }

  /** The one place where its phase changes. */
  #become(phase: StreamPhase, deadline: number): void {
    this.#phase = phase;
    this.#deadline = deadline;
  }

  #beat(): void {
    // Where it has no place yet, nothing is written.
    this.#beatAt = after(this.#front, BEAT);
    this.#listening?.beat();
  }

  #timeOut(): void {
    this.#front.counters.timeouts += 1;
    this.refuse(NOT_GRANTED);
  }

  #cut(): void {
    this.#front.counters.comet.slow_readers += 1;
    this.destroy();
  }

  #finish(): void {
    if (this.form === 'chunked') this.#wire.write(LAST_CHUNK);
    this.#end();
  }

  #end(): void {
    const time = this.#wire.writableLength > 0 ? this.#front.requestTimeout : LINGER;
    this.#become('ended', after(this.#front, time));
    this.#leave();
    this.#wire.end();
  }

  #close(): void {
    if (this.#phase === 'asked') this.#front.counters.closed += 1;
    this.#become('closed', NEVER);
    this.#leave();
  }

  /** Comet, and whoever admitted it, hear of its end, once. */
  #leave(): void {
    this.#asked = undefined;
    this.#listening?.leave();
    this.#listening = undefined;
    if (this.#handle !== 0) this.#comet.admission.left(this.#handle);
    this.#handle = 0;
  }

  #watch(): void {
    this.#readBy = after(this.#front, this.#front.requestTimeout);
    // Called behind all that was written, when the kernel has taken it.
    this.#wire.write(NOTHING, (error) => {
      if (error) return;
      this.#readBy = NEVER;
      if (this.#phase === 'open' && this.#wire.writableLength > 0) this.#watch();
    });
  }
}

/** What a page waits before it comes back, at least and at most: not all that lost their gateway are to come in the same instant. */
const RETRY_MS = [500, 3000] as const;

function headOf(form: Form, lines: string): Buffer {
  if (form !== 'sse') {
    const coding = form === 'chunked' ? 'transfer-encoding: chunked\r\n' : '';
    return encodeHead('text/plain; charset=utf-8', lines + coding);
  }
  const [least, most] = RETRY_MS;
  const retry = `retry: ${Math.floor(least + (most - least) * Math.random())}\n\n`;
  return Buffer.concat([encodeHead('text/event-stream', lines), Buffer.from(retry)]);
}

export const openStream = (comet: CometFront, asked: Asked): Takeover => ({
  take(connection, wire, front, request, rest) {
    const lines = corsLines(request.parser, front);
    const make = (address: string) => new StreamConnection(wire, front, comet, address, asked, lines);
    takeOver(connection, wire, front, request, make).begin(rest);
  },
});
