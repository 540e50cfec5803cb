/** TLS handshakes under way, which are no connections yet: of too many the oldest makes room for a new one. */

import type { Socket } from 'node:net';

interface Handshake {
  readonly socket: Socket;
  readonly since: number;
}

export class Handshakes {
  readonly #max: number;
  readonly #onFailed: () => void;
  readonly #onEvicted: () => void;
  /** By the peer's address and port, for node:tls tells of a socket's end of handshake by another object; the oldest first. */
  readonly #handshakes = new Map<string, Handshake>();
  /** One listener for all. */
  readonly #onClose: (this: Socket) => void;

  constructor(max: number, onFailed: () => void, onEvicted: () => void) {
    this.#max = max;
    this.#onFailed = onFailed;
    this.#onEvicted = onEvicted;
    const handshakes = this.#handshakes;
    this.#onClose = function onClose(): void {
      const peer = peerOf(this);
      if (handshakes.get(peer)?.socket !== this) return;
      handshakes.delete(peer);
      onFailed();
    };
  }

  get size(): number {
    return this.#handshakes.size;
  }

  /** @param socket below TLS */
  begin(socket: Socket, now: number): void {
    const peer = peerOf(socket);
    this.#endOlder(peer);
    // Behind those that began earlier.
    this.#handshakes.set(peer, { socket, since: now });
    socket.on('close', this.#onClose);
    if (this.#handshakes.size > this.#max) this.#evict();
  }

  /** @param socket the one below TLS, or the one that TLS made of it */
  end(socket: Socket): void {
    const peer = peerOf(socket);
    this.#handshakes.get(peer)?.socket.off('close', this.#onClose);
    this.#handshakes.delete(peer);
  }

  /** Those that began before have failed. */
  expire(before: number): void {
    for (const { socket, since } of this.#handshakes.values()) {
      if (since >= before) return;
      socket.destroy();
    }
  }

  /**
   * One port may be connected to several addresses here, or one that ended has not been heard to have done so. Forgotten alone,
   * it would have no deadline, and could not be evicted.
   */
  #endOlder(peer: string): void {
    const older = this.#handshakes.get(peer);
    if (older === undefined) return;
    this.#handshakes.delete(peer);
    older.socket.destroy();
    this.#onFailed();
  }

  #evict(): void {
    for (const [peer, { socket }] of this.#handshakes) {
      this.#handshakes.delete(peer);
      socket.destroy();
      this.#onEvicted();
      return;
    }
  }
}

/** Of one that has gone before it was looked at, `undefined undefined`. */
const peerOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
