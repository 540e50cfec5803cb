/**
 * Those who look at the dashboard: each is told what happens once a second, as server-sent events (HTML §9.2). What they are told is
 * made once for all. One that does not read is cut, before what waits for it is much.
 */

import type { Socket } from 'node:net';
import type { Feed } from '../observe/feed.js';
import { encodeHead } from './admin-response.js';

const MAX_VIEWERS = 20;
/** Bytes that may wait for one, beside what the kernel has taken. */
const MAX_WAITING = 512 * 1024;

export class Viewers {
  readonly #feed: Pick<Feed, 'snapshot' | 'history'>;
  readonly #sockets = new Set<Socket>();

  constructor(feed: Pick<Feed, 'snapshot' | 'history'>) {
    this.#feed = feed;
  }

  get size(): number {
    return this.#sockets.size;
  }

  get isFull(): boolean {
    return this.#sockets.size >= MAX_VIEWERS;
  }

  /** Begins its answer. */
  add(socket: Socket): void {
    this.#sockets.add(socket);
    socket.on('close', () => this.#sockets.delete(socket));
    socket.write(
      encodeHead(200, [
        ['content-type', 'text/event-stream'],
        ['cache-control', 'no-store'],
      ]),
      'latin1',
    );
    socket.write(`retry: 2000\n${event('history', this.#feed.history)}`);
    const { snapshot } = this.#feed;
    if (snapshot !== undefined) socket.write(event('snapshot', snapshot));
  }

  /** There is a new snapshot. */
  tell(): void {
    const { snapshot } = this.#sockets.size === 0 ? { snapshot: undefined } : this.#feed;
    if (snapshot === undefined) return;
    const bytes = Buffer.from(event('snapshot', snapshot));
    for (const socket of this.#sockets) {
      if (socket.writableLength + bytes.length > MAX_WAITING) socket.destroy();
      else socket.write(bytes);
    }
  }
}

/** One line of data: JSON has no line breaks but those in strings, which it escapes. */
const event = (name: string, data: string): string => `event: ${name}\ndata: ${data}\n\n`;
