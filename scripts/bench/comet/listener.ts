/** A page without a browser: one connection with server-sent events, that checks the numbers of what it gets, and comes back with its place. */

import { ClientSocket, received, type Target } from '../../load/client-socket.js';
import { nowMicroseconds } from '../../load/clock.js';
import { type Message, read } from './messages.js';
import { type Event, SseReader } from './sse-reader.js';

/** All listeners of a process. */
export interface Crowd {
  /** Where to, at first and each time it comes back. */
  target(attempt: number): Target;
  opened(): void;
  /** It will not come back by itself. */
  closed(listener: Listener, error: string): void;
  /** In its turn, or not. */
  heard(message: Message, last: number, at: number): void;
  gap(): void;
}

export class Listener {
  readonly #crowd: Crowd;
  readonly #path: string;
  readonly #hear = (event: Event): void => this.#heard(event);
  #attempts = 0;
  #place = '';
  /** The number of the last message, 0 before the first one. */
  #last = 0;
  #reader = new SseReader();
  #socket: ClientSocket | undefined;

  constructor(crowd: Crowd, path: string) {
    this.#crowd = crowd;
    this.#path = path;
  }

  get isOpen(): boolean {
    return this.#reader.isOpen;
  }

  get last(): number {
    return this.#last;
  }

  open(): void {
    const target = this.#crowd.target(this.#attempts);
    this.#attempts += 1;
    this.#reader = new SseReader();
    this.#socket = new ClientSocket(target, this);
    const place = this.#place === '' ? '' : `Last-Event-ID: ${this.#place}\r\n`;
    this.#socket.write(
      `GET ${this.#path} HTTP/1.1\r\nHost: ${target.host}\r\nAccept: text/event-stream\r\n${place}\r\n`,
    );
  }

  close(): void {
    this.#socket?.close();
  }

  read(size: number): void {
    const wasOpen = this.#reader.isOpen;
    this.#reader.push(received.toString('latin1', 0, size), this.#hear);
    if (!wasOpen && this.#reader.isOpen) this.#crowd.opened();
  }

  lost(error: NodeJS.ErrnoException | undefined): void {
    this.#crowd.closed(this, error?.code ?? error?.message ?? 'closed');
  }

  #heard({ id, name, data }: Event): void {
    if (id !== undefined) this.#place = id;
    if (name === 'gap') {
      this.#crowd.gap();
      return;
    }
    const message = data === undefined ? undefined : read(data);
    if (message === undefined) return;
    this.#crowd.heard(message, this.#last, nowMicroseconds());
    this.#last = Math.max(this.#last, message.number);
  }
}
