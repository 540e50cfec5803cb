/** Servers that echo: one around this gateway's codec, and one made of the `ws` package. */

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';
import { type WebSocket, WebSocketServer } from 'ws';
import { type FrameListener, type Incomplete, read } from '../../src/websocket/reader.js';
import { switching, Upgrades } from '../../src/websocket/upgrade.js';
import { closeFrame, pongFrame, textFrame } from '../../src/websocket/writer.js';
import { happens } from './until.js';

/** One client of it, without a socket: what is to be written goes to `write`. */
export class Echo implements FrameListener {
  incomplete: Incomplete | undefined = undefined;
  wantsFrames = true;
  readonly #write: (bytes: Buffer) => unknown;
  readonly #maxMessage: number;

  constructor(write: (bytes: Buffer) => unknown, maxMessage: number) {
    this.#write = write;
    this.#maxMessage = maxMessage;
  }

  read(bytes: Buffer): void {
    read(this, bytes, 0, this.#maxMessage, Number.POSITIVE_INFINITY);
  }

  text(message: Buffer): void {
    this.#write(textFrame(message));
  }

  ping(payload: Buffer): void {
    this.#write(pongFrame(payload));
  }

  pong(): void {}

  closing(code: number): void {
    this.#close(code);
  }

  failed(code: number): void {
    this.#close(code);
  }

  #close(code: number): void {
    this.wantsFrames = false;
    this.#write(closeFrame(code));
  }
}

export interface EchoServer {
  readonly url: string;
  close(): Promise<void>;
}

export async function serveEcho(maxMessage: number): Promise<EchoServer> {
  const server = createServer();
  const upgrades = new Upgrades(['*']);
  const sockets = new Set<Duplex>();
  server.on('upgrade', (request, socket, head: Buffer) => {
    const refusal = upgrades.refusalOf({
      method: request.method ?? '',
      isHttp11: request.httpVersion === '1.1',
      header: (name) => request.headers[name]?.toString(),
    });
    if (refusal !== undefined) {
      socket.end(`HTTP/1.1 ${refusal.status} No\r\n\r\n`);
      return;
    }
    sockets.add(socket);
    const echo = new Echo((bytes) => socket.write(bytes), maxMessage);
    socket.write(switching(request.headers['sec-websocket-key'] ?? '', 'xmpp'));
    const receive = (bytes: Buffer): void => {
      echo.read(bytes);
      if (!echo.wantsFrames) socket.end();
    };
    receive(head);
    socket.on('data', receive);
    socket.on('error', () => {});
    socket.on('close', () => sockets.delete(socket));
  });
  return listening(server, () => {
    for (const socket of sockets) socket.destroy();
  });
}

export async function serveEchoOfWs(maxMessage: number): Promise<EchoServer> {
  const server = createServer();
  const sockets = new WebSocketServer({ server, maxPayload: maxMessage });
  sockets.on('connection', (socket: WebSocket) => {
    socket.on('error', () => {});
    socket.on('message', (message, isBinary) => socket.send(message, { binary: isBinary }));
  });
  return listening(server, () => {
    for (const socket of sockets.clients) socket.terminate();
  });
}

async function listening(server: Server, end: () => void): Promise<EchoServer> {
  server.listen(0, '127.0.0.1');
  await happens(server, 'listening');
  return {
    url: `ws://127.0.0.1:${(server.address() as AddressInfo).port}/`,
    async close() {
      end();
      server.close();
      await happens(server, 'close');
    },
  };
}
