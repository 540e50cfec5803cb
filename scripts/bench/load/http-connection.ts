/**
 * A kept HTTP/1.1 connection that carries one POST at a time, straight on a socket: a load generator must cost less
 * than what it measures.
 */

import { connect, type Socket } from 'node:net';
import { type HttpResponse, ResponseReader } from './http-response.js';

/** Where all connections of a process go, and from where. */
export class Target {
  readonly host: string;
  readonly port: number;
  /** A loopback address of this process' own, so that each has all ports to itself. */
  readonly localAddress: string | undefined;
  readonly #head: string;

  constructor(url: string, localAddress?: string) {
    const { protocol, hostname, host, port, pathname } = new URL(url);
    if (protocol !== 'http:') throw new Error(`${url}: only http:// can be loaded`);
    this.host = hostname;
    this.port = Number(port === '' ? 80 : port);
    this.localAddress = localAddress;
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
  broken(connection: HttpConnection, error: Error | undefined): void;
}

/** One for all sockets: each read is used up before the next one happens. */
const buffer = Buffer.allocUnsafe(64 * 1024);

export class HttpConnection {
  readonly #target: Target;
  readonly #owner: ConnectionOwner;
  readonly #socket: Socket;
  readonly #reader = new ResponseReader();
  #error: Error | undefined;
  #closed = false;

  constructor(target: Target, owner: ConnectionOwner) {
    this.#target = target;
    this.#owner = owner;
    const { host, port, localAddress } = target;
    this.#socket = connect({
      host,
      port,
      noDelay: true,
      ...(localAddress === undefined ? {} : { localAddress }),
      onread: { buffer, callback: (size) => this.#read(size) },
    });
    this.#socket.on('error', (error) => {
      this.#error = error;
    });
    this.#socket.once('close', () => this.#lost());
  }

  /** Not before the previous one is answered. */
  post(body: string): void {
    this.#socket.write(this.#target.request(body), 'latin1');
  }

  close(): void {
    this.#closed = true;
    this.#socket.destroy();
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
    if (this.#closed) return;
    this.#closed = true;
    this.#owner.broken(this, this.#error);
  }
}
