/**
 * The HTTP port of several workers: accepts connections and deals them out in turns. Until the worker says that it has
 * taken it, a connection stays open here, too: if the worker ends first, another one gets it. Then this process closes its
 * descriptor, of which the connection notices nothing: it ends with its last one.
 *
 * Nothing is read here, so that nothing gets lost. The port stays open while no worker takes any; connections wait for one.
 */

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import { connectionsWithin, fileLimit } from '../http/file-limit.js';
import { listen } from '../http/listen.js';
import { LimitedLog } from '../observe/limited-log.js';

/** Longer than the longest pause before a worker is started again, its start, and its wait for an ejabberd node. */
const PATIENCE_MS = 20_000;
/**
 * Connections dealt to a worker that it has not taken. Many, so that one which has to wait for a core gets its share:
 * dealt to whoever takes them first, of 4,000 connections one of four workers got 580 and another 1,900 on two busy cores.
 */
export const MOST_DEALT = 1024;

export interface Worker {
  /** Passes the connection on; `taken` or `leave` is to follow. */
  hand(socket: Socket): void;
}

export class Dealer {
  readonly #server: Server;
  readonly #log: LimitedLog;
  /** What each is dealt and has not taken, the first of it handed; first the one whose turn it is. */
  readonly #workers = new Map<Worker, Socket[]>();
  /** Longest first. */
  readonly #waiting: Socket[] = [];
  /** Connections that no worker got. */
  #refused = 0;

  /** @param maxConnections more than the workers may have together need not wait */
  constructor(maxConnections: number, log: Logger) {
    this.#log = new LimitedLog(log);
    this.#server = createServer({ pauseOnConnect: true, noDelay: true }, (socket) => {
      socket.setTimeout(PATIENCE_MS, () => {
        this.#refused += 1;
        socket.destroy();
        trim(this.#waiting);
      });
      this.#waiting.push(socket);
      this.#deal();
    });
    this.#server.maxConnections = Math.min(maxConnections, connectionsWithin(fileLimit()));
    this.#server.on('drop', () => {
      this.#refused += 1;
      this.#warn('HTTP_CONNECTIONS', 'too many connections wait for a worker');
    });
  }

  /** @throws MegaphoneError HTTP_LISTEN */
  async listen(ip: string, port: number): Promise<void> {
    await listen(this.#server, ip, port);
    // For want of memory or of files in the whole system.
    this.#server.on('error', ({ message }) =>
      this.#warn('HTTP_NOT_ACCEPTED', `a connection could not be accepted: ${message}`),
    );
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** How many connections were closed unread, since no worker took them. */
  get refused(): number {
    return this.#refused;
  }

  /** The worker takes connections. */
  join(worker: Worker): void {
    this.#workers.set(worker, []);
    this.#deal();
  }

  /** The worker has the connection that it was handed. */
  taken(worker: Worker): void {
    const dealt = this.#workers.get(worker);
    if (dealt === undefined) return;
    dealt.shift()?.destroy();
    trim(dealt);
    if (dealt[0] !== undefined) worker.hand(dealt[0]);
    this.#deal();
  }

  /** The worker takes no more: what it has not taken is for the others. */
  leave(worker: Worker): void {
    this.#waiting.unshift(...(this.#workers.get(worker) ?? []));
    this.#workers.delete(worker);
    this.#deal();
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#waiting.splice(0)) socket.destroy();
    for (const dealt of this.#workers.values()) for (const socket of dealt) socket.destroy();
  }

  #deal(): void {
    // Goes round and round, as whoever gets one comes last.
    for (const [worker, dealt] of this.#workers) {
      if (dealt.length >= MOST_DEALT) continue;
      trim(this.#waiting);
      const socket = this.#waiting.shift();
      if (socket === undefined) return;
      this.#workers.delete(worker);
      this.#workers.set(worker, dealt);
      if (dealt.push(socket) === 1) worker.hand(socket);
    }
  }

  #warn(code: string, text: string): void {
    this.#log.warn(code, { code }, text);
  }
}

/** Forgets those that waited too long. */
function trim(sockets: Socket[]): void {
  while (sockets[0]?.destroyed) sockets.shift();
}
