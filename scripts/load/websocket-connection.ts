/** The WebSocket of a client: its upgrade (RFC 6455 §4.1), text both ways, Pings and Close answered. */

import { ClientSocket, received, type SocketOwner, type Target } from './client-socket.js';
import { readRetryAfter, readStatus } from './http-response.js';
import { CLOSE, FrameReader, type FrameSink, maskedFrame, PING, PONG, TEXT } from './websocket-frames.js';

export interface WebSocketOwner {
  opened(): void;
  /** The upgrade heard something else than 101. @param retryAfter seconds */
  refused(status: number, retryAfter: number | undefined): void;
  /** @param message latin1 */
  text(message: string): void;
  /** It is gone; told once, and never after `close`. */
  broken(reason: string): void;
}

/** Those of RFC 6455 §1.3: who measures needs no secret. */
const KEY = 'dGhlIHNhbXBsZSBub25jZQ==';
const ACCEPT = /\r\nsec-websocket-accept:[ \t]*s3pPLMBiTxaQ9kYGzzhZRbK\+xOo=[ \t]*\r\n/i;
const NORMAL_CLOSURE = '\x03\xe8';

export class WebSocketConnection implements SocketOwner, FrameSink {
  readonly #owner: WebSocketOwner;
  readonly #socket: ClientSocket;
  readonly #frames = new FrameReader();
  /** What came of the answer to the upgrade; `undefined` once it is whole. */
  #head: string | undefined = '';
  #isOver = false;

  constructor(target: Target, owner: WebSocketOwner) {
    this.#owner = owner;
    this.#socket = new ClientSocket(target, this);
    this.#socket.write(
      `GET ${target.path} HTTP/1.1\r\nHost: ${target.host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n` +
        `Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${KEY}\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n`,
    );
  }

  /** @param message ASCII */
  send(message: string): void {
    this.#socket.write(maskedFrame(TEXT, message));
  }

  /** Says so to the server if it is open, and waits for nothing. */
  close(): void {
    if (this.#isOver) return;
    if (this.#head === undefined) this.#socket.write(maskedFrame(CLOSE, NORMAL_CLOSURE));
    this.#end();
  }

  read(size: number): void {
    if (this.#head === undefined) this.#frames.push(received.subarray(0, size), this);
    else this.#upgrade(this.#head + received.toString('latin1', 0, size));
  }

  lost(error: NodeJS.ErrnoException | undefined): void {
    this.#broken(error?.code ?? error?.message ?? 'connection closed');
  }

  text(message: string): void {
    if (!this.#isOver) this.#owner.text(message);
  }

  control(opcode: number, payload: string): void {
    if (this.#isOver) return;
    if (opcode === PING) {
      this.#socket.write(maskedFrame(PONG, payload));
    } else if (opcode === CLOSE) {
      this.#socket.write(maskedFrame(CLOSE, payload));
      const code = payload.length < 2 ? 1005 : payload.charCodeAt(0) * 256 + payload.charCodeAt(1);
      this.#broken(`closed with ${code}`);
    }
  }

  #upgrade(text: string): void {
    const end = text.indexOf('\r\n\r\n') + 4;
    if (end < 4) {
      this.#head = text;
      return;
    }
    const head = text.slice(0, end);
    const status = readStatus(head);
    if (status !== 101) {
      this.#end();
      this.#owner.refused(status, readRetryAfter(head));
      return;
    }
    if (!ACCEPT.test(head)) throw new Error('a wrong Sec-WebSocket-Accept');
    this.#head = undefined;
    this.#owner.opened();
    this.#frames.push(Buffer.from(text.slice(end), 'latin1'), this);
  }

  #broken(reason: string): void {
    if (this.#isOver) return;
    this.#end();
    this.#owner.broken(reason);
  }

  #end(): void {
    this.#isOver = true;
    this.#socket.close();
  }
}
