/** A web client's WebSocket without a connection: what it hears of a gateway, in order, as one line each. */

import type { Header } from '../../../src/gateway/answers.js';
import type { ClientSocket } from '../../../src/gateway/ports.js';

export class FakeSocket implements ClientSocket {
  readonly heard: string[] = [];
  /** The gateway's, for what it does. */
  handle = 0;

  get isOver(): boolean {
    return this.heard.some((word) => word.startsWith('close') || word.startsWith('refuse'));
  }

  accept(): void {
    this.#hear('accept');
  }

  refuse(status: number, _headers: readonly Header[], _body: Buffer): void {
    this.#hear(`refuse ${status}`);
  }

  send(text: Buffer, number: number): void {
    this.#hear(number === 0 ? `text ${text}` : `text ${text} (${number})`);
  }

  resume(): void {
    this.#hear('resume');
  }

  close(code: number, _reason: Buffer): void {
    this.#hear(`close ${code}`);
  }

  #hear(word: string): void {
    if (this.isOver) throw new Error(`${word} behind ${this.heard.at(-1)}`);
    this.heard.push(word);
  }
}
