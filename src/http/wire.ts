/** What a connection needs of its socket, and how the two are bound: by the same functions for all, as each is to cost little. */

import type { Socket } from 'node:net';

/** A `Socket` of node:net or node:tls is one. */
export interface Wire {
  readonly remoteAddress?: string | undefined;
  readonly remotePort?: number | undefined;
  /** Bytes that were written and not taken by the kernel. */
  readonly writableLength: number;
  /** @param taken called when the kernel has these bytes and all before, or will never have them */
  write(bytes: Buffer, taken?: (error?: Error | null) => void): unknown;
  end(): unknown;
  destroy(): unknown;
  pause(): unknown;
  resume(): unknown;
}

export interface SocketListener {
  receive(bytes: Buffer): void;
  closed(): void;
}

const LISTENER = Symbol('listener');
type AttachedSocket = Socket & { [LISTENER]?: SocketListener };

/** From now on `listener` hears what happens on the socket. */
export function attach(socket: Socket, listener: SocketListener): void {
  (socket as AttachedSocket)[LISTENER] = listener;
  socket.on('data', onData);
  socket.on('error', onError);
  socket.on('close', onClose);
}

/** Another hears it from now on. */
export function relay(wire: Wire, listener: SocketListener): void {
  (wire as Wire & { [LISTENER]?: SocketListener })[LISTENER] = listener;
}

function onData(this: AttachedSocket, bytes: Buffer): void {
  this[LISTENER]?.receive(bytes);
}

/** A client that goes away; `close` follows. */
function onError(): void {}

function onClose(this: AttachedSocket): void {
  this[LISTENER]?.closed();
}
