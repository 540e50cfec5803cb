/**
 * A kept HTTP/1.1 connection that carries one POST at a time, straight on a socket: a load generator must cost less
 * than what it measures.
 */

import { connect, type Socket } from 'node:net';
import { type HttpResponse, ResponseReader } from './http-response.js';
import { type Source, SourcePorts } from './source-ports.js';

/** Where all connections of a process go, and from where. */
export class Target {
  readonly host: string;
  readonly port: number;
  /** `undefined` for a server on another machine, which has its own idea of our addresses. */
  readonly sources: SourcePorts | undefined;
  readonly #head: string;

  constructor(url: string) {
    const { protocol, hostname, host, port, pathname } = new URL(url);
    if (protocol !== 'http:') throw new Error(`${url}: only http:// can be loaded`);
    this.host = hostname;
    this.port = Number(port === '' ? 80 : port);
    this.sources = hostname.startsWith('127.') ? new SourcePorts() : undefined;
    this.#head = `POST ${pathname} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: `;
  }

  /** @param body ASCII */
  request(body: string): string {
    return `${this.#head}${body.length}\r\n\r\n${body}`;
  }
}

export interface ConnectionOwner {
  answered(connection: HttpConnection, response: HttpResponse): void;
  /** It is gone; told once, and never after `close`. */
  broken(connection: HttpConnection, error: NodeJS.ErrnoException | undefined): void;
}

/** Some other program has the port: the next one will do. */
const TAKEN: readonly (string | undefined)[] = ['EADDRINUSE', 'EADDRNOTAVAIL'];
const MAX_TAKEN = 100;

/** One for all sockets: each read is used up before the next one happens. */
const buffer = Buffer.allocUnsafe(64 * 1024);

export class HttpConnection {
  readonly #target: Target;
  readonly #owner: ConnectionOwner;
  readonly #reader = new ResponseReader();
  #socket: Socket;
  #source: Source | undefined;
  #taken = 0;
  /** What has to be written again where the socket turns out to have no port. */
  #first: string | undefined;
  #error: NodeJS.ErrnoException | undefined;
  #closed = false;

  constructor(target: Target, owner: ConnectionOwner) {
    this.#target = target;
    this.#owner = owner;
    this.#socket = this.#connect();
  }

  /** Not before the previous one is answered. */
  post(body: string): void {
    const request = this.#target.request(body);
    if (this.#socket.connecting) this.#first = request;
    this.#socket.write(request, 'latin1');
  }

  close(): void {
    this.#closed = true;
    this.#socket.destroy();
  }

  #connect(): Socket {
    const { host, port, sources } = this.#target;
    this.#source = sources?.take();
    const socket = connect({
      host,
      port,
      noDelay: true,
      ...this.#source,
      onread: { buffer, callback: (size) => this.#read(size) },
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
    try {
      const response = this.#reader.push(buffer.toString('latin1', 0, size));
      if (response !== undefined) this.#owner.answered(this, response);
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
    this.#owner.broken(this, this.#error);
  }
}
