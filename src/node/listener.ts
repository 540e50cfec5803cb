/** The port where other nodes connect to us. */

import { createServer, type Server, type Socket } from 'node:net';
import { type Admission, accept, type Secret } from '../distribution/handshake.js';
import type { Identity } from '../distribution/handshake-messages.js';
import { MegaphoneError } from '../errors.js';
import { randomChallenge } from './dialer.js';
import { type Handshaken, shakeHands } from './handshake-carrier.js';

/** Handshakes going on at once: strangers hold no more than this many sockets, for no longer than the time-out. */
const MAX_HANDSHAKES = 64;

export interface Reception {
  readonly self: Identity;
  readonly cookie: Secret;
  readonly timeoutMs: number;
  admit(peer: string): Admission;
  connected(socket: Socket, handshaken: Handshaken): void;
  /** @param address where the refused one came from, host:port */
  refused(error: MegaphoneError, address: string): void;
}

export class Listener {
  readonly port: number;
  readonly #server: Server;
  readonly #handshaking = new Set<Socket>();
  #reception: Reception | undefined;

  /**
   * Listens; until `receive` is called whoever connects is turned away.
   * @param host an address of this machine; all of them, IPv4 and IPv6, when not given
   * @throws MegaphoneError NODE_LISTEN
   */
  static open(port: number, host?: string): Promise<Listener> {
    const server = createServer();
    return new Promise((resolve, reject) => {
      server.once('error', (cause) => {
        const where = `${host ?? '*'}:${port}`;
        const hint = 'Choose another port or address, or stop what holds it.';
        reject(new MegaphoneError('NODE_LISTEN', `Cannot listen for nodes on ${where}`, { cause, hint }));
      });
      server.listen({ port, host }, () => {
        const address = server.address();
        resolve(new Listener(server, typeof address === 'object' && address !== null ? address.port : port));
      });
    });
  }

  private constructor(server: Server, port: number) {
    this.#server = server;
    this.port = port;
    server.on('connection', (socket) => this.#greet(socket));
  }

  receive(reception: Reception): void {
    this.#reception = reception;
  }

  close(): void {
    this.#server.close();
    for (const socket of this.#handshaking) socket.destroy();
  }

  #greet(socket: Socket): void {
    // 'close' follows every error, and there it is dealt with.
    socket.on('error', () => {});
    const reception = this.#reception;
    const address = `${socket.remoteAddress}:${socket.remotePort}`;
    if (reception === undefined) {
      socket.destroy();
      return;
    }
    if (this.#handshaking.size >= MAX_HANDSHAKES) {
      socket.destroy();
      const message = `${MAX_HANDSHAKES} nodes are in their handshake already`;
      reception.refused(new MegaphoneError('HANDSHAKE_TOO_MANY', message), address);
      return;
    }
    this.#handshaking.add(socket);
    const context = { ...reception, challenge: randomChallenge() };
    const handshake = accept(context, (peer) => reception.admit(peer));
    shakeHands(socket, handshake, reception.timeoutMs)
      .then(
        (handshaken) => reception.connected(socket, handshaken),
        (error: MegaphoneError) => reception.refused(error, address),
      )
      .finally(() => this.#handshaking.delete(socket));
  }
}
