/** A gateway for WebSockets that does what the test says, and tells what it heard. */

import type { ClientInfo } from '../../../src/gateway/meta.js';
import type { ClientSocket, SocketService } from '../../../src/gateway/ports.js';

export class FakeSockets implements SocketService {
  /** By handle less one. */
  readonly sockets: ClientSocket[] = [];
  readonly clients: ClientInfo[] = [];
  readonly texts: string[] = [];
  readonly taken: number[] = [];
  readonly proven: number[] = [];
  /** Handles and codes. */
  readonly ends: (readonly [handle: number, code: number])[] = [];
  /** Whether it takes more behind a message. */
  takesMore = true;
  /** What happens as one is opened. */
  onOpen: (socket: ClientSocket) => void = () => {};
  onText: (socket: ClientSocket, text: Buffer) => void = () => {};

  open(socket: ClientSocket, client: ClientInfo): number {
    this.clients.push(client);
    const handle = this.sockets.push(socket);
    // Not before it has its handle, as the gateway does.
    queueMicrotask(() => this.onOpen(socket));
    return handle;
  }

  frame(handle: number, text: Buffer): boolean {
    this.texts.push(text.toString());
    this.#of(handle, 'frame', (socket) => this.onText(socket, text));
    return this.takesMore;
  }

  written(handle: number, number: number): void {
    this.#of(handle, 'written', () => this.taken.push(number));
  }

  read(handle: number, number: number): void {
    this.#of(handle, 'read', () => this.proven.push(number));
  }

  closed(handle: number, code: number): void {
    this.#of(handle, 'closed', () => this.ends.push([handle, code]));
  }

  #of(handle: number, what: string, then: (socket: ClientSocket) => void): void {
    const socket = this.sockets[handle - 1];
    if (socket === undefined) throw new Error(`${what} of the handle ${handle}`);
    if (this.ends.some(([ended]) => ended === handle)) throw new Error(`${what} behind the end`);
    then(socket);
  }
}
