/** TLS handshakes under way, which are no connections yet: of too many the oldest makes room for a new one. */

import type { Socket } from 'node:net';

export class Handshakes {
  readonly #max: number;
  readonly #onEvicted: () => void;
  /** By the peer's address and port, for node:tls tells of a socket's end of handshake by another object. */
  readonly #sockets = new Map<string, Socket>();
  /** One listener for all. */
  readonly #onClose: (this: Socket) => void;

  constructor(max: number, onEvicted: () => void) {
    this.#max = max;
    this.#onEvicted = onEvicted;
    const sockets = this.#sockets;
    this.#onClose = function onClose(): void {
      const peer = peerOf(this);
      if (sockets.get(peer) === this) sockets.delete(peer);
    };
  }

  get size(): number {
    return this.#sockets.size;
  }

  /** @param socket below TLS */
  begin(socket: Socket): void {
    this.#sockets.set(peerOf(socket), socket);
    socket.on('close', this.#onClose);
    if (this.#sockets.size > this.#max) this.#evict();
  }

  /** @param socket the one below TLS, or the one that TLS made of it */
  end(socket: Socket): void {
    const peer = peerOf(socket);
    this.#sockets.get(peer)?.off('close', this.#onClose);
    this.#sockets.delete(peer);
  }

  #evict(): void {
    for (const [peer, oldest] of this.#sockets) {
      this.#sockets.delete(peer);
      oldest.destroy();
      this.#onEvicted();
      return;
    }
  }
}

/** Of one that has gone before it was looked at, `undefined undefined`. */
const peerOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
