/**
 * The socket of an established connection. It is never paused: a peer whose messages we do not read
 * would suspend every process that sends to us.
 */

import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';
import { Channel } from '../distribution/channel.js';
import { FrameBatch } from '../distribution/frame-batch.js';
import type { FrameReader } from '../distribution/frames.js';
import type { Identity } from '../distribution/handshake-messages.js';
import type { Inbox } from '../distribution/inbox.js';
import { quarterOf, Ticks } from '../distribution/ticks.js';
import { MegaphoneError } from '../errors.js';

export interface ConnectionOptions {
  /** Seconds, the `net_ticktime` of the cluster. */
  readonly tickTime: number;
  readonly maxFrameBytes: number;
  /**
   * With more than this waiting to be read by the peer, messages to it are refused; with more than twice as much,
   * which only signals can bring about, the connection is closed.
   */
  readonly maxQueuedBytes: number;
}

export interface Traffic {
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Ticks are not counted. */
  readonly framesIn: number;
  readonly framesOut: number;
  /** Bytes that wait until the peer reads them. */
  readonly queuedBytes: number;
}

/** How long a peer may take to read what is still queued when we stop. */
const GOODBYE_MS = 1_000;

export class Connection {
  readonly peer: Identity;
  readonly channel: Channel;
  readonly #socket: Socket;
  readonly #reader: FrameReader;
  readonly #options: ConnectionOptions;
  readonly #onClosed: (error: MegaphoneError) => void;
  readonly #batch = new FrameBatch();
  readonly #ticks = new Ticks();
  #ticker: NodeJS.Timeout | undefined;
  #flushing = false;
  #closed = false;
  #bytesIn = 0;
  #bytesOut = 0;
  #framesIn = 0;
  #framesOut = 0;

  /** @param onClosed called once, whatever ended the connection */
  constructor(
    socket: Socket,
    reader: FrameReader,
    self: Identity,
    peer: Identity,
    inbox: Inbox,
    options: ConnectionOptions,
    onClosed: (error: MegaphoneError) => void,
  ) {
    this.peer = peer;
    this.#socket = socket;
    this.#reader = reader;
    this.#options = options;
    this.#onClosed = onClosed;
    this.channel = new Channel(self, peer, inbox, (control, payload) => this.#signal(control, payload));
  }

  /** To be called in the turn in which the handshake ended, or bytes are lost. */
  start(): void {
    this.#reader.switchTo(4, this.#options.maxFrameBytes);
    this.#socket.setNoDelay(true);
    this.#socket.on('data', (chunk) => this.#receive(chunk));
    this.#socket.on('close', () => this.close(this.#failure('LINK_CLOSED', 'the connection was closed')));
    this.#ticker = setInterval(() => this.#quarter(), quarterOf(this.#options.tickTime));
    if (this.#socket.destroyed) this.close(this.#failure('LINK_CLOSED', 'the connection was closed'));
    else this.#readFrames();
  }

  get traffic(): Traffic {
    return {
      bytesIn: this.#bytesIn,
      bytesOut: this.#bytesOut,
      framesIn: this.#framesIn,
      framesOut: this.#framesOut,
      queuedBytes: this.#queuedBytes,
    };
  }

  /** The version of TLS; empty without. */
  get tls(): string {
    return this.#socket instanceof TLSSocket ? (this.#socket.getProtocol() ?? '') : '';
  }

  /** The peer does not read fast enough: messages to it are refused. */
  get congested(): boolean {
    return this.#queuedBytes > this.#options.maxQueuedBytes;
  }

  /**
   * Sends a message with the other frames of this turn. Its pieces are those of `FrameBatch.append`.
   * @returns false, and nothing is queued, when the connection is congested or closed
   */
  send(control: Uint8Array, head: Uint8Array, body?: Uint8Array, tail?: Uint8Array): boolean {
    if (this.#closed || this.congested) return false;
    this.#write(control, head, body, tail);
    return true;
  }

  /** Ends the connection at once. What is queued is lost. */
  close(error: MegaphoneError): void {
    if (this.#closed) return;
    this.#closed = true;
    clearInterval(this.#ticker);
    this.#socket.destroy();
    this.channel.lost();
    this.#onClosed(error);
  }

  /** Ends the connection when what is queued is written. */
  async finish(error: MegaphoneError): Promise<void> {
    if (this.#closed) return;
    this.#flush();
    const patience = setTimeout(() => this.close(error), GOODBYE_MS);
    await new Promise((resolve) => {
      this.#socket.once('close', resolve);
      this.#socket.end(() => this.close(error));
    });
    clearTimeout(patience);
  }

  get #queuedBytes(): number {
    return this.#batch.bytes + this.#socket.writableLength;
  }

  #receive(chunk: Buffer): void {
    this.#bytesIn += chunk.length;
    this.#reader.push(chunk);
    this.#readFrames();
  }

  #readFrames(): void {
    const reader = this.#reader;
    try {
      while (!this.#closed && reader.advance()) {
        if (reader.start === reader.end) continue;
        this.#framesIn += 1;
        this.channel.receive(reader.bytes, reader.start, reader.end);
      }
    } catch (error) {
      if (!(error instanceof MegaphoneError)) throw error;
      this.close(this.#failure(error.code, error.message, error));
    }
  }

  /** Signals cannot be refused: a lost one would leave the two nodes with different views. So the connection has to go. */
  #signal(control: Uint8Array, payload?: Uint8Array): void {
    if (this.#closed) return;
    if (this.#queuedBytes > 2 * this.#options.maxQueuedBytes) {
      this.close(this.#failure('LINK_NOT_READING', `${this.#queuedBytes} bytes wait to be read by it`));
      return;
    }
    this.#write(control, payload);
  }

  #write(control: Uint8Array, head?: Uint8Array, body?: Uint8Array, tail?: Uint8Array): void {
    this.#framesOut += 1;
    this.#batch.append(control, head, body, tail);
    if (this.#flushing) return;
    this.#flushing = true;
    // Behind all sockets that have something to read in this turn, so that their frames share one write.
    setImmediate(() => this.#flush());
  }

  #flush(): void {
    this.#flushing = false;
    if (this.#closed) return;
    const bytes = this.#batch.bytes;
    const pieces = this.#batch.take();
    this.#bytesOut += bytes;
    this.#socket.cork();
    for (const piece of pieces) this.#socket.write(piece);
    this.#socket.uncork();
    if (this.#socket.writableLength === 0) this.#batch.rewind();
  }

  #quarter(): void {
    switch (this.#ticks.quarter(this.#bytesIn, this.#framesOut)) {
      case 'silent':
        this.close(this.#failure('LINK_SILENT', `silent for ${this.#options.tickTime} s`));
        break;
      case 'tick':
        this.#batch.appendTick();
        this.#flush();
        break;
      case 'busy':
        break;
    }
  }

  #failure(code: MegaphoneError['code'], what: string, cause?: unknown): MegaphoneError {
    const node = this.peer.name;
    const reason = cause ?? this.#socket.errored ?? undefined;
    return new MegaphoneError(code, `${node}: ${what}`, {
      node,
      ...(reason === undefined ? {} : { cause: reason }),
      ...(HINTS[code] === undefined ? {} : { hint: HINTS[code] }),
    });
  }
}

const HINTS: Readonly<Partial<Record<MegaphoneError['code'], string>>> = {
  LINK_CLOSED: 'That node stopped, or it dropped us; its log tells.',
  LINK_SILENT:
    'That node or the network hangs, or it has a longer net_ticktime: the tick time must be the same everywhere.',
  LINK_NOT_READING: 'That node is overloaded or frozen.',
};
