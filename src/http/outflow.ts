/**
 * What goes to a WebSocket's client: no more than it reads, and Pings. One goes each `pingInterval`, so that proxies keep the
 * connection; and one where the gateway wants to know how far the client has read (`Proof`): at once, or, with all others
 * who want to know, within half a second (`Proofs`).
 */

import { pingFrame, pongFrame, pongNumber, textFrame } from '../websocket/writer.js';
import { after, type Front, NEVER } from './front.js';
import { PROOF_BYTES, Proof } from './proof.js';
import type { Waiting } from './turns.js';
import type { Wire } from './wire.js';

/** Bytes that may wait for the client when there is more to write. */
export const MAX_UNREAD = 1024 ** 2;
/** Pongs that may, each of which takes far more than its bytes. */
export const MAX_PONGS = 1000;
const NOTHING = Buffer.alloc(0);

interface Sender {
  /** Whether frames go out. */
  readonly isOpen: boolean;
  /** The client does not read what it is sent. */
  cut(why: 'slow_readers'): void;
  /** The kernel took all that was sent up to this number. */
  written(number: number): void;
}

export class Outflow implements Waiting {
  /** Whether anything came since the last Ping, or nothing could. */
  isHeard = true;
  readonly #sender: Sender;
  readonly #wire: Wire;
  readonly #front: Front;
  readonly #proof = new Proof();
  /** When the next Ping is due, in seconds of the front's clock. */
  #pingAt = NEVER;
  /** When the kernel must have taken what it has not. */
  #readBy = NEVER;
  #pongs = 0;
  /** Bytes sent since it was last to be told what is written. */
  #untold = 0;

  constructor(sender: Sender, wire: Wire, front: Front) {
    this.#sender = sender;
    this.#wire = wire;
    this.#front = front;
  }

  /** @param answer that to the upgrade */
  begin(answer: Buffer): void {
    this.#pingAt = after(this.#front, this.#front.pingInterval);
    this.write(answer);
  }

  get isUnread(): boolean {
    return this.#wire.writableLength > 0;
  }

  get isLate(): boolean {
    return this.#readBy <= this.#front.now;
  }

  get isPingDue(): boolean {
    return this.#pingAt <= this.#front.now;
  }

  /** @param taken called when the kernel has it, or never will; @returns `false`: it is cut, for it does not read */
  write(bytes: Buffer, taken?: (error?: Error | null) => void, maxUnread = MAX_UNREAD): boolean {
    if (this.#wire.writableLength > maxUnread) {
      this.#sender.cut('slow_readers');
      return false;
    }
    this.#wire.write(bytes, taken);
    if (this.#readBy === NEVER && this.isUnread) this.#watch();
    return true;
  }

  /** @param number where it is not 0, a Ping is to prove that the client has it */
  send(text: Buffer, number: number): void {
    if (!this.write(textFrame(text), this.#toTell(text.length, number))) return;
    this.#proof.sent(text.length, number);
    this.#prove();
  }

  /** A client's Pong may stand behind much that nobody takes: so what is written is told, too, each some bytes. */
  #toTell(bytes: number, number: number): ((error?: Error | null) => void) | undefined {
    this.#untold += bytes;
    if (number === 0 || this.#untold < PROOF_BYTES) return undefined;
    this.#untold = 0;
    return (error) => {
      if (!error) this.#sender.written(number);
    };
  }

  /** Answers a Ping. */
  pong(payload: Buffer): void {
    this.#pongs = this.isUnread ? this.#pongs + 1 : 0;
    if (this.#pongs > MAX_PONGS) this.#sender.cut('slow_readers');
    else this.write(pongFrame(payload));
  }

  /** A Pong came. @returns the number that it proves, or 0 */
  proven(payload: Buffer): number {
    const number = this.#proof.pong(pongNumber(payload));
    this.#prove();
    return number;
  }

  takeTurn(): void {
    if (this.#sender.isOpen && (this.#proof.isDue || this.isPingDue)) this.#ping();
  }

  #prove(): void {
    if (!this.#proof.isDue) return;
    if (this.#proof.isAtOnce) this.#ping();
    else this.#front.proofs.wait(this);
  }

  #ping(): void {
    this.isHeard = false;
    this.#pingAt = after(this.#front, this.#front.pingInterval);
    this.write(pingFrame(this.#proof.ping()));
  }

  #watch(): void {
    this.#readBy = after(this.#front, this.#front.requestTimeout);
    // Called behind all that was written, when the kernel has taken it.
    this.#wire.write(NOTHING, (error) => {
      if (error) return;
      this.#readBy = NEVER;
      if (this.isUnread && this.#sender.isOpen) this.#watch();
    });
  }
}
