/** A relay that reads along what lies open in TLS: which kinds of records go by. RFC 8446, 5.1. */

import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { happens } from '../../support/until.js';

const HANDSHAKE = 22;
const APPLICATION_DATA = 23;

export class TlsRelay {
  readonly port: number;
  /** Handshake records behind the first application data: under TLS 1.2, of renegotiations. */
  renegotiated = 0;
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  static async start(target: { readonly host: string; readonly port: number }): Promise<TlsRelay> {
    const server = createServer();
    server.listen(0, '127.0.0.1');
    await happens(server, 'listening');
    return new TlsRelay(server, target);
  }

  private constructor(server: Server, target: { readonly host: string; readonly port: number }) {
    this.port = (server.address() as AddressInfo).port;
    this.#server = server;
    server.on('connection', (near) => {
      const far = connect(target);
      this.#join(near, far);
      this.#join(far, near);
    });
  }

  stop(): void {
    this.#server.close();
    for (const socket of this.#sockets) socket.destroy();
  }

  #join(from: Socket, to: Socket): void {
    this.#sockets.add(from);
    let header = Buffer.alloc(0);
    let inside = 0;
    let isOpen = false;
    from.on('error', () => {});
    from.on('close', () => to.destroy());
    from.on('data', (chunk: Buffer) => {
      to.write(chunk);
      for (let at = 0; at < chunk.length; ) {
        if (inside > 0) {
          const skipped = Math.min(inside, chunk.length - at);
          inside -= skipped;
          at += skipped;
          continue;
        }
        const missing = 5 - header.length;
        header = Buffer.concat([header, chunk.subarray(at, at + missing)]);
        at += missing;
        if (header.length < 5) return;
        inside = header.readUInt16BE(3);
        if (header[0] === APPLICATION_DATA) isOpen = true;
        else if (header[0] === HANDSHAKE && isOpen) this.renegotiated += 1;
        header = Buffer.alloc(0);
      }
    });
  }
}
