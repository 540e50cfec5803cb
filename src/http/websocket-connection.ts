/**
 * A client's WebSocket (RFC 6455), from its request on: frames to messages for the gateway, and messages to frames.
 *
 *   phase    what it waits for                                      for how long
 *   asked    the gateway, to grant the upgrade                      ANSWER_TIME
 *   open     both sides, to say something                           pingInterval since the last Ping, then the next one
 *   full     the gateway, to take more: nothing is read meanwhile   as open
 *   closing  the client's Close: ours was written                   CLOSE_TIME
 *   ended    the client, to close: all was written, and the end     LINGER (requestTimeout, while there is something unread)
 *
 *   in phase      accept    refuse     text       more       ping       Close       fault       send       resume  close         time        slow        stop          stopWait
 *   asked         open+101  ended+403  ·          ·          ·          ·           ·           –          –       –             ended+504   ended+503   ended+503     ·
 *   open          –         –          ·          full       open+pong  ended+1000  ended+1002  open+text  ·       closing+1000  open+ping   –           closing+1012  ·
 *   open, silent  –         –          ·          full       open+pong  ended+1000  ended+1002  open+text  ·       closing+1000  closed      –           closing+1012  ·
 *   open, part    –         –          ·          full       open+pong  ended+1000  ended+1002  open+text  ·       closing+1000  ended+1008  ended+1013  closing+1012  ·
 *   open, rest    –         –          –          –          –          –           –           open+text  ·       closing+1000  open+ping   ended+1013  closing+1012  ·
 *   open, unread  –         –          ·          full       open+pong  ended+1000  ended+1002  open+text  ·       closing+1000  closed      –           closing+1012  ·
 *   full          –         –          –          –          –          –           –           full+text  open    closing+1000  full+ping   ended+1013  closing+1012  ·
 *   closing       –         –          ·          ·          ·          ended       ended       –          –       –             ended       ended       ·             ended
 *   ended         –         –          ·          ·          ·          ·           ·           –          –       –             closed      –           ·             ·
 *
 * Behind a plus is what the client hears: an HTTP status, a frame, or a Close with that code. more: a message after which the gateway takes no further
 * one; fault: no frame; silent: nothing came since the last Ping; part: a message that is not whole; rest: something waits to be read; unread: something
 * that the kernel did not take; stop: this gateway stops; slow: it is to make room. The gateway hears the same code once, 1006 where it was refused
 * here, cut or just went, and nothing where it ended it itself. It costs this object, an `Outflow` with its `Proof`, and a `Backlog` only while
 * something of the client is kept.
 */

import type { Header } from '../gateway/answers.js';
import type { ClientInfo } from '../gateway/meta.js';
import type { ClientSocket, SocketService } from '../gateway/ports.js';
import { ABNORMAL, POLICY, RESTART, TRY_AGAIN } from '../websocket/close-codes.js';
import { type FrameListener, type Incomplete, read } from '../websocket/reader.js';
import type { UpgradeAnswer } from '../websocket/upgrade.js';
import { closeFrame, textFrame } from '../websocket/writer.js';
import { Backlog } from './backlog.js';
import { leave } from './entrance.js';
import { ANSWER_TIME, after, type Front, LINGER, NEVER } from './front.js';
import { MAX_SKIPPED } from './incoming.js';
import { Outflow } from './outflow.js';
import { NOT_GRANTED, STOPPING, TOO_SLOW } from './replies.js';
import { CLOSE, encodeResponse, type Reply } from './response.js';
import { onlyAllowed } from './response-headers.js';
import type { Guest } from './room.js';
import type { Wire } from './wire.js';

export type SocketPhase = 'asked' | 'open' | 'full' | 'closing' | 'ended' | 'closed';

/** Seconds that clients have to answer a Close. */
const CLOSE_TIME = 5;
/** Frames that are read in a turn, of whatever kind: others have theirs in between. */
export const FRAMES = 8;

export class WebSocketConnection implements Guest, ClientSocket, FrameListener {
  readonly address: string;
  freeSince = 0;
  older: Guest | undefined = undefined;
  newer: Guest | undefined = undefined;
  incomplete: Incomplete | undefined = undefined;
  readonly #front: Front;
  readonly #wire: Wire;
  readonly out: Outflow;
  readonly #service: SocketService;
  #phase: SocketPhase = 'asked';
  /** When this phase has lasted too long, in seconds of the front's clock. */
  #deadline: number;
  /** Until it is answered: what the client hears if it is granted, and header lines of other answers. */
  #upgrade: UpgradeAnswer | undefined;
  /** The service's; 0 where it is not concerned any more. */
  #handle = 0;
  #backlog: Backlog | undefined = undefined;
  #passed = 0;

  constructor(wire: Wire, front: Front, service: SocketService, address: string, upgrade: UpgradeAnswer) {
    this.#front = front;
    this.#service = service;
    this.address = address;
    this.#wire = wire;
    this.out = new Outflow(this, wire, front);
    this.#upgrade = upgrade;
    this.#deadline = after(this.#front, ANSWER_TIME);
  }

  get phase(): SocketPhase {
    return this.#phase;
  }

  get isOpen(): boolean {
    return this.#phase === 'open' || this.#phase === 'full';
  }

  /** The gateway is asked. @param rest what came behind the request */
  ask(client: ClientInfo, rest: Buffer): void {
    if (rest.length > 0) this.#keep(rest);
    const handle = this.#service.open(this, client);
    if (this.#phase === 'asked') this.#handle = handle;
  }

  receive(bytes: Buffer): void {
    this.out.isHeard = true;
    if (this.#phase === 'closing' || this.#phase === 'ended') this.#passed += bytes.length;
    if (this.#passed > MAX_SKIPPED) this.destroy();
    else if (this.wantsFrames) this.read(bytes);
    else if (this.#phase === 'asked') this.#keep(bytes);
  }

  read(bytes: Buffer): void {
    const at = read(this, bytes, 0, this.#front.maxBody, FRAMES);
    if (this.wantsFrames || this.#phase === 'full') {
      this.#keep(at < bytes.length ? bytes.subarray(at) : undefined);
    }
  }

  accept(): void {
    if (this.#upgrade === undefined || this.#phase !== 'asked') return;
    this.#become('open', NEVER);
    this.out.begin(this.#upgrade.switching);
    this.#upgrade = undefined;
    this.#keep(this.#backlog?.rest);
  }

  refuse(status: number, headers: readonly Header[], body: Buffer): void {
    this.#handle = 0;
    this.#answer(onlyAllowed({ status, headers, body }, this.#front.counters));
  }

  send(text: Buffer, number: number): void {
    if (this.isOpen) this.out.send(text, number);
  }

  resume(): void {
    if (this.#phase !== 'full') return;
    this.#become('open', NEVER);
    // Nothing of it could come meanwhile: it has its times again.
    this.out.isHeard = true;
    if (this.#backlog !== undefined) this.#backlog.since = this.#front.now;
    this.#keep(this.#backlog?.rest);
  }

  close(code: number, reason: Buffer): void {
    this.#handle = 0;
    this.#close(code, reason);
  }

  get wantsFrames(): boolean {
    return this.#phase === 'open' || this.#phase === 'closing';
  }

  text(message: Buffer): void {
    if (this.#phase !== 'open') return;
    if (this.#backlog !== undefined) this.#backlog.since = this.#front.now;
    const takesMore = this.#service.frame(this.#handle, message);
    if (!takesMore && this.#phase === 'open') this.#become('full', NEVER);
  }

  ping(payload: Buffer): void {
    if (this.#phase === 'open') this.out.pong(payload);
  }

  pong(payload: Buffer): void {
    const number = this.#phase === 'open' ? this.out.proven(payload) : 0;
    if (number > 0) this.#service.read(this.#handle, number);
  }

  closing(code: number): void {
    this.failed(code, '');
  }

  failed(code: number, why: string): void {
    if (this.#phase === 'ended' || this.#phase === 'closed') return;
    if (this.isOpen && !this.out.write(closeFrame(code, Buffer.from(why)))) return;
    this.#tell(code);
    this.#end();
  }

  /** This gateway stops, and it is this one's turn to go elsewhere. */
  stop(): void {
    const { sockets, seeOther } = this.#front;
    if (this.#phase === 'asked') this.#refuse(STOPPING);
    if (!this.isOpen) return;
    if (this.#service !== sockets || seeOther === undefined || this.out.write(textFrame(seeOther)))
      this.#close(RESTART, Buffer.alloc(0));
  }

  /** A Close that has not come in by now is not waited for. */
  stopWaiting(): void {
    if (this.#phase === 'closing') this.#end();
  }

  destroy(): void {
    this.#leave();
    this.#wire.destroy();
  }

  closed(): void {
    this.#leave();
    leave(this, this.#front);
  }

  refuseSlow(): void {
    if (this.#phase === 'asked') this.#refuse(TOO_SLOW);
    else this.failed(TRY_AGAIN, 'more is coming in than there is room for');
  }

  written(number: number): void {
    if (this.isOpen) this.#service.written(this.#handle, number);
  }

  cut(why: 'ping_timeouts' | 'slow_readers'): void {
    this.#front.counters.websocket[why] += 1;
    this.destroy();
  }

  expire(): void {
    if (this.isOpen) this.#expireOpen();
    else if (this.#deadline > this.#front.now) return;
    else if (this.#phase === 'asked') {
      this.#front.counters.timeouts += 1;
      this.#refuse(NOT_GRANTED);
    } else if (this.#phase === 'closing') this.#end();
    else this.destroy();
  }

  #expireOpen(): void {
    const since = this.incomplete && this.#backlog?.since;
    const { now, requestTimeout } = this.#front;
    if (since !== undefined && after(this.#front, requestTimeout, since) <= now) {
      this.failed(POLICY, 'a message took too long to come in');
    } else if (this.out.isLate) {
      this.cut('slow_readers');
    } else if (this.out.isPingDue) {
      // Of one that is not read, nothing can have come.
      if (this.out.isHeard || this.#phase === 'full') this.#front.proofs.soon(this.out);
      else this.cut('ping_timeouts');
    }
  }

  /** The one place where its phase changes. */
  #become(phase: SocketPhase, deadline: number): void {
    this.#phase = phase;
    this.#deadline = deadline;
  }

  /** What was not read waits for its turn, or for the gateway, and the wire with it. */
  #keep(rest: Buffer | undefined): void {
    const isPaused = rest !== undefined || this.#phase === 'full';
    if (isPaused || this.incomplete !== undefined) {
      this.#backlog ??= new Backlog(this, this.#wire, this.#front);
      this.#backlog.keep(rest, isPaused, this.incomplete?.memory ?? 0);
    } else this.#forget();
  }

  #forget(): void {
    this.#backlog?.end();
    this.#backlog = undefined;
    this.incomplete = undefined;
  }

  #refuse(reply: Reply): void {
    if (reply.reason !== undefined) this.#front.counters.refused[reply.reason] += 1;
    this.#answer(reply);
    this.#tell(ABNORMAL);
  }

  #answer(reply: Reply): void {
    if (this.#phase !== 'asked') return;
    this.#wire.write(encodeResponse(reply, (this.#upgrade?.lines ?? '') + CLOSE, false));
    this.#end();
  }

  /** Ours is the first Close. */
  #close(code: number, reason: Buffer): void {
    if (!this.isOpen || !this.out.write(closeFrame(code, reason))) return;
    this.#tell(code);
    this.#become('closing', after(this.#front, CLOSE_TIME));
    this.#keep(this.#backlog?.rest);
  }

  #end(): void {
    this.#become('ended', after(this.#front, this.out.isUnread ? this.#front.requestTimeout : LINGER));
    this.#forget();
    this.#wire.end();
  }

  #leave(): void {
    if (this.#phase === 'asked') this.#front.counters.closed += 1;
    this.#become('closed', NEVER);
    this.#forget();
    this.#tell(ABNORMAL);
  }

  /** The gateway hears of its end, once. */
  #tell(code: number): void {
    const handle = this.#handle;
    this.#handle = 0;
    if (handle !== 0) this.#service.closed(handle, code);
  }
}
