/** A TCP relay between a gateway and a node, which cuts their connection in the middle of what goes over it. */
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { happens } from '../../support/until.js';

export class ConnectionRelay {
  readonly port: number;
  /** How often it has cut. */
  cuts = 0;
  readonly #server: Server;
  readonly #sockets: Set<Socket>;
  #cutSoon = false;

  private constructor(server: Server, sockets: Set<Socket>) {
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
    this.#sockets = sockets;
  }

  static async start(target: { readonly host: string; readonly port: number }): Promise<ConnectionRelay> {
    const sockets = new Set<Socket>();
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await happens(server, 'listening');
    const relay = new ConnectionRelay(server, sockets);
    server.on('connection', (near) => {
      const far = connect(target);
      relay.#join(near, far);
      relay.#join(far, near);
    });
    return relay;
  }

  /** Resets the connection at a random byte of what goes over it next, in the direction in which that goes. */
  cutSoon(): void {
    this.#cutSoon = true;
  }

  async stop(): Promise<void> {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
    await happens(this.#server, 'close');
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    from.on('error', () => {});
    from.on('close', () => {
      this.#sockets.delete(from);
      to.destroy();
    });
    from.on('data', (chunk: Buffer) => {
      if (!this.#cutSoon) {
        to.write(chunk);
        return;
      }
      this.#cutSoon = false;
      this.cuts += 1;
      from.pause();
      // What was written before must leave, or more would be lost than this chunk's end.
      to.end(chunk.subarray(0, Math.floor(Math.random() * chunk.length)), () => from.resetAndDestroy());
    });
  }
}
