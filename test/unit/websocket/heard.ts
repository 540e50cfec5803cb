/** A listener of frames that writes down what it hears, one line for each, and holds up what a test has it hold up. */

import { type FrameListener, type Incomplete, read } from '../../../src/websocket/reader.js';

export class Heard implements FrameListener {
  incomplete: Incomplete | undefined = undefined;
  wantsFrames = true;
  readonly lines: string[] = [];
  readonly #maxMessage: number;
  /** The most that was kept after a read. */
  mostMemory = 0;

  constructor(maxMessage: number) {
    this.#maxMessage = maxMessage;
  }

  /** Of a copy, as it is unmasked in place. @returns the offset behind what was read */
  read(bytes: Buffer): number {
    return this.readInPlace(Buffer.from(bytes), 0);
  }

  readInPlace(bytes: Buffer, start: number): number {
    const at = read(this, bytes, start, this.#maxMessage, Number.POSITIVE_INFINITY);
    this.mostMemory = Math.max(this.mostMemory, this.incomplete?.memory ?? 0);
    return at;
  }

  text(message: Buffer): void {
    this.lines.push(`text ${message.toString()}`);
  }

  ping(payload: Buffer): void {
    this.lines.push(`ping ${payload.toString('latin1')}`);
  }

  pong(payload: Buffer): void {
    this.lines.push(`pong ${payload.toString('latin1')}`);
  }

  closing(code: number, reason: Buffer): void {
    this.lines.push(`closing ${code} ${reason.toString()}`);
    this.wantsFrames = false;
  }

  failed(code: number, why: string): void {
    this.lines.push(`failed ${code} ${why}`);
    this.wantsFrames = false;
  }
}
