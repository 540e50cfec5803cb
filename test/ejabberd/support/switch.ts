/** A TCP port that leads to one of several servers, as a network and a balancer do: it can be cut, and led elsewhere. */

import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { happens } from '../../support/until.js';

export class Switch {
  readonly port: number;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;
  #target: number | undefined;

  private constructor(server: Server, sockets: Set<Socket>, target: number) {
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
    this.#sockets = sockets;
    this.#target = target;
  }

  static async start(target: number): Promise<Switch> {
    const sockets = new Set<Socket>();
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await happens(server, 'listening');
    const made = new Switch(server, sockets, target);
    server.on('connection', (near) => made.#join(near));
    return made;
  }

  /** Whoever is connected is cut off, and leads nowhere until `lead`. */
  cut(): void {
    this.#target = undefined;
    for (const socket of this.#sockets) socket.resetAndDestroy();
  }

  /** To the server on that port; who is connected to another one stays there. */
  lead(target: number): void {
    this.#target = target;
  }

  async stop(): Promise<void> {
    this.cut();
    this.#server.close();
    await happens(this.#server, 'close');
  }

  #join(near: Socket): void {
    if (this.#target === undefined) {
      near.resetAndDestroy();
      return;
    }
    const far = connect(this.#target, '127.0.0.1');
    for (const [from, to] of [
      [near, far],
      [far, near],
    ] as const) {
      this.#sockets.add(from);
      from.on('error', () => {});
      from.on('close', () => {
        this.#sockets.delete(from);
        to.destroy();
      });
      from.pipe(to);
    }
  }
}
