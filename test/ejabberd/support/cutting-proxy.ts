/** A TCP proxy that a test can tell to cut every connection through it, as a network change would, or to pass nothing on. */
import { connect, createServer, type Server, type Socket } from 'node:net';

export class CuttingProxy {
  readonly url: string;
  readonly #server: Server;
  /** Each with the one that gets what comes from it. */
  readonly #sockets: Map<Socket, Socket>;

  private constructor(url: string, server: Server, sockets: Map<Socket, Socket>) {
    this.url = url;
    this.#server = server;
    this.#sockets = sockets;
  }

  /** In front of `target`, whose path stays in `url`. */
  static async start(target: string): Promise<CuttingProxy> {
    const { protocol, hostname, port, pathname } = new URL(target);
    const sockets = new Map<Socket, Socket>();
    const server = createServer((client) => {
      const upstream = connect(Number(port), hostname);
      for (const [socket, other] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        sockets.set(socket, other);
        socket.on('close', () => {
          sockets.delete(socket);
          other.destroy();
        });
        socket.on('error', () => {});
        socket.pipe(other);
      }
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('the proxy has no port');
    return new CuttingProxy(`${protocol}//127.0.0.1:${address.port}${pathname}`, server, sockets);
  }

  /** Resets every connection, both halves; the proxy goes on accepting new ones. */
  cut(): void {
    for (const socket of this.#sockets.keys()) socket.resetAndDestroy();
  }

  /** As a laptop that sleeps: its connections are there, and nothing comes out of them or goes in. */
  freeze(): void {
    for (const socket of this.#sockets.keys()) socket.unpipe().pause();
  }

  /** What came meanwhile goes on its way, also that the other side has gone. */
  thaw(): void {
    for (const [socket, other] of this.#sockets) socket.pipe(other);
  }

  stop(): void {
    this.#server.close();
    this.cut();
  }
}
