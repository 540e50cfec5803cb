/**
 * A port for operators' programs: few connections at once, each for a moment. One more, and the one that is there for longest
 * is cut: who does not finish a request, or read its answer, keeps nobody out, for an answer takes no time.
 */

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { listen } from './listen.js';

const MAX_CONNECTIONS = 100;

export class BriefServer {
  readonly #server: Server;
  /** The longest there first. */
  readonly #connections = new Set<Socket>();

  private constructor(lifetimeMs: number, serve: (socket: Socket) => void) {
    // Half open: a client may end its side behind its request.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      const [longest] = this.#connections;
      if (this.#connections.size >= MAX_CONNECTIONS) this.#remove(longest as Socket);
      const end = setTimeout(() => this.#remove(socket), lifetimeMs);
      this.#connections.add(socket);
      // 'close' follows.
      socket.on('error', () => {});
      socket.on('close', () => {
        clearTimeout(end);
        this.#connections.delete(socket);
      });
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

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const socket of this.#connections) socket.destroy();
    await closed;
  }

  #remove(socket: Socket): void {
    this.#connections.delete(socket);
    socket.destroy();
  }
}
