/** A connection's listeners on its socket: the same functions for all, as a connection is to cost little. */

import type { Socket } from 'node:net';

export interface Listener {
  receive(bytes: Buffer): void;
  closed(): void;
}

const LISTENER = Symbol('listener');
type AttachedSocket = Socket & { [LISTENER]?: Listener };

export function attach(socket: Socket, listener: Listener): void {
  (socket as AttachedSocket)[LISTENER] = listener;
  socket.on('data', onData);
  socket.on('error', onError);
  socket.on('close', onClose);
}

function onData(this: AttachedSocket, bytes: Buffer): void {
  this[LISTENER]?.receive(bytes);
}

/** A client that goes away; `close` follows. */
function onError(): void {}

function onClose(this: AttachedSocket): void {
  this[LISTENER]?.closed();
}
