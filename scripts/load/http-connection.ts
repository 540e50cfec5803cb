/** A kept HTTP/1.1 connection that carries one POST at a time. */

import { ClientSocket, received, type SocketOwner, type Target } from './client-socket.js';
import { type HttpResponse, ResponseReader } from './http-response.js';

export interface ConnectionOwner {
  answered(connection: HttpConnection, response: HttpResponse): void;
  /** It is gone; told once, and never after `close`. */
  broken(connection: HttpConnection, error: NodeJS.ErrnoException | undefined): void;
}

export class HttpConnection implements SocketOwner {
  readonly #target: Target;
  readonly #owner: ConnectionOwner;
  readonly #reader = new ResponseReader();
  readonly #socket: ClientSocket;
  #posts = 0;

  constructor(target: Target, owner: ConnectionOwner) {
    this.#target = target;
    this.#owner = owner;
    this.#socket = new ClientSocket(target, this);
  }

  /** It carried a request before the latest. */
  get isReused(): boolean {
    return this.#posts > 1;
  }

  /** Not before the previous one is answered. @param body ASCII */
  post(body: string): void {
    const { path, host } = this.#target;
    this.#posts += 1;
    this.#socket.write(
      `POST ${path} HTTP/1.1\r\nHost: ${host}\r\nContent-Type: text/xml; charset=utf-8\r\nContent-Length: ${body.length}\r\n\r\n${body}`,
    );
  }

  close(): void {
    this.#socket.close();
  }

  read(size: number): void {
    const response = this.#reader.push(received.toString('latin1', 0, size));
    if (response !== undefined) this.#owner.answered(this, response);
  }

  lost(error: NodeJS.ErrnoException | undefined): void {
    this.#owner.broken(this, error);
  }
}
