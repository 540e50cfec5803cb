/**
 * The port for lines from outside (`nc -q0 HOST PORT`): each line is said to whom it names, one after the other. Only what is wrong is
 * answered, a line each. Whoever reaches the port may say anything to anybody: it listens on this machine alone, unless told otherwise.
 */

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { AdminDesk } from './admin-desk.js';
import { LinesConnection } from './lines-connection.js';
import { listen } from './listen.js';

const MAX_CONNECTIONS = 100;
const TOO_MANY = `as many send lines as may: ${MAX_CONNECTIONS}\n`;
/** A sender whose machine is gone is noticed. */
const PROBE_MS = 60_000;

export class LinesServer {
  readonly #server: Server;
  /** The longest without a word first. */
  readonly #connections = new Map<Socket, LinesConnection>();

  /** @throws MegaphoneError HTTP_LISTEN */
  static async listen(ip: string, port: number, desk: Pick<AdminDesk, 'say'>): Promise<LinesServer> {
    const lines = new LinesServer(desk);
    await listen(lines.#server, ip, port);
    return lines;
  }

  private constructor(desk: Pick<AdminDesk, 'say'>) {
    // Half open: `echo … | nc` ends its side behind its lines, and may wait for what is wrong with them.
    this.#server = createServer({ allowHalfOpen: true }, (socket) => {
      // 'close' follows.
      socket.on('error', () => {});
      if (this.#connections.size >= MAX_CONNECTIONS) this.#makeRoom();
      if (this.#connections.size >= MAX_CONNECTIONS) {
        socket.resume();
        socket.end(TOO_MANY, () => socket.destroy());
        return;
      }
      socket.setKeepAlive(true, PROBE_MS);
      const connection = new LinesConnection(socket, desk);
      this.#connections.set(socket, connection);
      socket.on('data', () => {
        if (this.#connections.delete(socket)) this.#connections.set(socket, connection);
      });
      socket.on('close', () => this.#connections.delete(socket));
    });
  }

  /** Who has said nothing for longest goes: else a hundred who say nothing would keep all others out. */
  #makeRoom(): void {
    for (const [socket, connection] of this.#connections) {
      if (connection.isBusy) continue;
      this.#connections.delete(socket);
      socket.end(TOO_MANY, () => socket.destroy());
      return;
    }
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** What has come is said before, as far as a moment suffices. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    await Promise.all([...this.#connections.values()].map((connection) => connection.finish()));
    await closed;
  }
}
