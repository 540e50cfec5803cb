/** A page that listens over a WebSocket: it serves that connection, as the gateway serves those of XMPP. What the page says is passed over. */

import type { Listening, Page } from '../../comet/ports.js';
import type { ClientSocket, SocketService } from '../../gateway/ports.js';
import { after, NEVER } from '../front.js';
import type { Outflow } from '../outflow.js';
import type { Reply } from '../response.js';
import type { Visitor } from './admission.js';
import type { Asked } from './asked.js';
import type { CometFront } from './comet-front.js';

export interface FrameSocket extends ClientSocket {
  readonly out: Pick<Outflow, 'write'>;
}

/** There is one connection only. */
const HANDLE = 1;
const POLICY = 1008;

export class SocketPage implements SocketService, Page, Visitor {
  readonly form = 'socket';
  readonly #comet: CometFront;
  #socket: FrameSocket | undefined = undefined;
  #asked: Asked | undefined;
  #handle = 0;
  #listening: Listening | undefined = undefined;
  /** When it may listen no longer, in seconds of the front's clock. */
  #until = NEVER;

  constructor(comet: CometFront, asked: Asked) {
    this.#comet = comet;
    this.#asked = asked;
  }

  open(socket: FrameSocket): number {
    this.#socket = socket;
    if (this.#asked !== undefined) this.#handle = this.#comet.admission.ask(this, this.#asked);
    return HANDLE;
  }

  admit(ids: readonly string[], seconds: number): void {
    const { place } = this.#asked ?? {};
    const socket = this.#socket;
    if (this.#asked === undefined || socket === undefined) return;
    this.#asked = undefined;
    socket.accept();
    if (seconds < NEVER) {
      this.#until = after(this.#comet, seconds);
      this.#comet.expiring.add(this);
    }
    const listening = this.#comet.service.listen(this, ids, place);
    if (this.#socket === undefined) listening.leave();
    else this.#listening = listening;
  }

  refuse({ status, headers, body, reason }: Reply): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    if (reason !== undefined) this.#comet.counters.refused[reason] += 1;
    this.#leave();
    socket.refuse(status, headers, body);
  }

  dismiss(code: number, reason: Buffer): void {
    const socket = this.#socket;
    this.#leave();
    socket?.close(code, reason);
  }

  write(bytes: Buffer): void {
    const isCut = this.#socket?.out.write(bytes, undefined, this.#comet.maxUnread) === false;
    if (isCut) this.#comet.counters.comet.slow_readers += 1;
  }

  expire(now: number): void {
    if (this.#until <= now) this.dismiss(POLICY, Buffer.from('the token has ended'));
  }

  frame(): boolean {
    return true;
  }

  written(): void {}

  read(): void {}

  closed(): void {
    this.#leave();
  }

  #leave(): void {
    this.#socket = undefined;
    this.#asked = undefined;
    this.#listening?.leave();
    this.#listening = undefined;
    if (this.#handle !== 0) this.#comet.admission.left(this.#handle);
    this.#handle = 0;
    this.#comet.expiring.delete(this);
  }
}
