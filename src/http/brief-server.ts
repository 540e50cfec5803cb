/**
 * A port for operators' programs: few connections at once, each for a moment. One more, and the one that is there for longest
 * is cut: who does not finish a request, or read its answer, keeps nobody out, for an answer takes no time. Those who were told that
 * they may stay do not count.
 */

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { listen } from './listen.js';

const MAX_CONNECTIONS = 100;

export class BriefServer {
  readonly #server: Server;
  /** The longest there first, each with the time at which it is cut. */
  readonly #connections = new Map<Socket, NodeJS.Timeout>();
  readonly #staying = new Set<Socket>();

  private constructor(lifetimeMs: number, serve: (socket: Socket) => void) {
    // Half open: a client may end its side behind its request.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      const [longest] = this.#connections.keys();
      if (this.#connections.size >= MAX_CONNECTIONS) this.#remove(longest as Socket);
      this.#connections.set(
        socket,
        setTimeout(() => this.#remove(socket), lifetimeMs),
      );
      // 'close' follows.
      socket.on('error', () => {});
      socket.on('close', () => this.#forget(socket));
      serve(socket);
    });
  }

  /** @param lifetimeMs for all that happens on a connection @throws MegaphoneError HTTP_LISTEN */
  static async listen(
    ip: string,
    port: number,
    lifetimeMs: number,
    serve: (socket: Socket) => void,
  ): Promise<BriefServer> {
    const brief = new BriefServer(lifetimeMs, serve);
    await listen(brief.#server, ip, port);
    return brief;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** It may stay for as long as it likes. Whoever says so sees to it that there are few. */
  keep(socket: Socket): void {
    this.#forget(socket);
    this.#staying.add(socket);
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of [...this.#connections.keys(), ...this.#staying]) socket.destroy();
    await closed;
  }

  #forget(socket: Socket): void {
    clearTimeout(this.#connections.get(socket));
    this.#connections.delete(socket);
    this.#staying.delete(socket);
  }

  #remove(socket: Socket): void {
    this.#forget(socket);
    socket.destroy();
  }
}
