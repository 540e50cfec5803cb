/**
 * A connection of a client, straight on a socket and from a port of our own choice: a load generator must cost less
 * than what it measures.
 */

import { connect, type Socket } from 'node:net';
import { type Source, SourcePorts } from './source-ports.js';

/** Where all connections of a process go, and from where. */
export class Target {
  readonly hostname: string;
  readonly port: number;
  /** For the header `Host`. */
  readonly host: string;
  readonly path: string;
  /** `undefined` for a server on another machine, which has its own idea of our addresses. */
  readonly sources: SourcePorts | undefined;

  /** @param choosesPorts needed by thousands of connections, and in the way of what comes and goes quickly */
  constructor(url: string, choosesPorts = true) {
    const { protocol, hostname, host, port, pathname } = new URL(url);
    if (!['http:', 'ws:'].includes(protocol)) throw new Error(`${url}: only http:// and ws:// can be loaded`);
    this.hostname = hostname;
    this.port = Number(port === '' ? 80 : port);
    this.host = host;
    this.path = pathname;
    this.sources = choosesPorts && hostname.startsWith('127.') ? new SourcePorts() : undefined;
  }
}

export interface SocketOwner {
  /** So many bytes came, which are at the beginning of `received`. @throws Error where they make no sense */
  read(size: number): void;
  /** It is gone; told once, and never after `close`. */
  lost(error: NodeJS.ErrnoException | undefined): void;
}

/** Some other program has the port: the next one will do. */
const TAKEN: readonly (string | undefined)[] = ['EADDRINUSE', 'EADDRNOTAVAIL'];
const MAX_TAKEN = 100;

/** One for all sockets: each read is used up before the next one happens. */
export const received = Buffer.allocUnsafe(64 * 1024);

export class ClientSocket {
  readonly #target: Target;
  readonly #owner: SocketOwner;
  #socket: Socket;
  #source: Source | undefined;
  #taken = 0;
  /** What has to be written again where the socket turns out to have no port. */
  #first: string | undefined;
  #error: NodeJS.ErrnoException | undefined;
  #closed = false;

  constructor(target: Target, owner: SocketOwner) {
    this.#target = target;
    this.#owner = owner;
    this.#socket = this.#connect();
  }

  /** @param data text is ASCII; the first is text, and nothing follows it before an answer */
  write(data: string | Buffer): void {
    if (typeof data !== 'string') {
      this.#socket.write(data);
      return;
    }
    if (this.#socket.connecting) this.#first = data;
    this.#socket.write(data, 'latin1');
  }

  close(): void {
    this.#closed = true;
    this.#socket.destroy();
  }

  #connect(): Socket {
    const { hostname: host, port, sources } = this.#target;
    this.#source = sources?.take();
    const socket = connect({
      host,
      port,
      noDelay: true,
      ...this.#source,
      onread: { buffer: received, callback: (size) => this.#read(size) },
    });
    socket.once('connect', () => {
      this.#first = undefined;
    });
    socket.on('error', (error) => {
      this.#error = error;
    });
    socket.once('close', () => this.#lost());
    return socket;
  }

  #read(size: number): boolean {
    if (this.#closed) return true;
    try {
      this.#owner.read(size);
    } catch (error) {
      this.#error = error as Error;
      this.#socket.destroy();
    }
    return true;
  }

  #lost(): void {
    if (this.#source !== undefined) this.#target.sources?.giveBack(this.#source);
    if (this.#closed) return;
    if (this.#first !== undefined && TAKEN.includes(this.#error?.code) && this.#taken < MAX_TAKEN) {
      this.#taken += 1;
      this.#error = undefined;
      this.#socket = this.#connect();
      this.#socket.write(this.#first, 'latin1');
      return;
    }
    this.#closed = true;
    this.#owner.lost(this.#error);
  }
}
