/** A real client of WebSockets, from the `ws` package: what it hears, in order. */

import { WebSocket } from 'ws';
import { within } from '../../../scripts/support/within.js';
import type { Service } from '../../../src/service/service.js';

export class WebClient {
  readonly #socket: WebSocket;
  readonly #heard: string[] = [];
  #wake: () => void = () => {};

  constructor({ bosh: { port } }: Service) {
    this.#socket = new WebSocket(`ws://127.0.0.1:${port}/ws`, 'xmpp');
    this.#socket.on('open', () => this.#hear('open'));
    this.#socket.on('message', (text: Buffer) => this.#hear(`text ${text}`));
    this.#socket.on('close', (code, reason) => this.#hear(`close ${code} ${reason}`.trim()));
    this.#socket.on('error', () => {});
    this.#socket.on('unexpected-response', (_, response) => {
      response.resume();
      this.#hear(`refused ${response.statusCode}`);
      this.#socket.terminate();
    });
  }

  /** What it hears next: `open`, `refused 503`, `text …`, `close 1000 reason`. */
  async next(): Promise<string> {
    while (this.#heard.length === 0) {
      const woken = new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
      await within(woken, () => 'what a web client hears next');
    }
    return this.#heard.shift() ?? '';
  }

  send(text: string | Buffer): void {
    this.#socket.send(text, { binary: false });
  }

  close(code?: number, reason?: string): void {
    this.#socket.close(code, reason);
  }

  /** Without a Close. */
  terminate(): void {
    this.#socket.terminate();
  }

  #hear(word: string): void {
    this.#heard.push(word);
    this.#wake();
  }
}
