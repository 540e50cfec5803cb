/** A case run against a real server: `run(case, 'ws://localhost:8080/ws')` says what came back. */

import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { clientFrame } from '../websocket-frames.js';
import { Answers } from './answers.js';
import { type AutobahnCase, bytesOf, latin1, type Outcome } from './case.js';
import { close } from './closing-cases.js';

export interface RunOptions {
  /** How a text that came is written down; `undefined`: not at all. */
  readonly tellText?: (text: Buffer) => string | undefined;
  /** Milliseconds in which a server has to answer, or to end what is to be ended. */
  readonly patience?: number;
  /** The same before the last part, where a server may end earlier than it has to. */
  readonly pause?: number;
}

const PATIENCE_MS = 60_000;
const NORMAL = clientFrame(close(1000));

export async function run(
  { parts, chop }: AutobahnCase,
  url: string,
  options: RunOptions = {},
): Promise<Outcome> {
  const { tellText, patience = PATIENCE_MS, pause = patience } = options;
  const client = new Client(await upgrade(url), tellText);
  try {
    const last = parts.at(-1);
    let sent = 0;
    let isAnswered = true;
    for (const part of parts) {
      await client.write(bytesOf(part), chop);
      sent += 1;
      isAnswered = await client.wait(part.until, part === last ? patience : pause);
      if (client.isOver) break;
    }
    if (!client.isOver && isAnswered && last?.until !== 'end') await client.write(NORMAL);
    await client.wait('end', patience);
    return { lines: [...client.lines], after: sent };
  } finally {
    client.destroy();
  }
}

class Client {
  readonly #socket: Socket;
  readonly #answers: Answers;
  #isEnded = false;

  constructor(socket: Socket, tellText: RunOptions['tellText']) {
    this.#socket = socket;
    this.#answers = new Answers(tellText);
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      this.#answers.read(bytes);
      if (this.#answers.isClosed) socket.end(NORMAL);
    });
    for (const end of ['end', 'close']) {
      socket.on(end, () => {
        this.#isEnded = true;
        this.#answers.cut();
      });
    }
  }

  get lines(): readonly string[] {
    return this.isOver ? this.#answers.lines : [...this.#answers.lines, 'silence'];
  }

  /** The server closed, or the connection is gone. */
  get isOver(): boolean {
    return this.#answers.isClosed;
  }

  async write(bytes: Buffer, chop = bytes.length): Promise<void> {
    for (let at = 0; at < bytes.length && !this.isOver && !this.#isEnded; at += chop) {
      await new Promise((written) => this.#socket.write(bytes.subarray(at, at + chop), written));
    }
  }

  /** Whether it came within the server's time. */
  async wait(until: number | 'end', patience: number): Promise<boolean> {
    const isDone = (): boolean =>
      this.isOver || (typeof until === 'number' && this.#answers.lines.length >= until);
    const deadline = performance.now() + patience;
    while (!isDone()) {
      const left = deadline - performance.now();
      if (left <= 0) return false;
      const stop = new AbortController();
      const signal = stop.signal;
      const waits = [
        once(this.#socket, 'data', { signal }),
        once(this.#socket, 'close', { signal }),
        sleep(left, 0, { signal }),
      ];
      await Promise.race(waits.map((wait) => wait.catch(() => {})));
      stop.abort();
    }
    return true;
  }

  destroy(): void {
    this.#socket.destroy();
  }
}

/** A socket that speaks WebSocket from now on. */
async function upgrade(url: string): Promise<Socket> {
  const { hostname, port, host, pathname } = new URL(url);
  const socket = connect({
    host: hostname.replace(/^\[(.*)\]$/, '$1'),
    port: Number(port || 80),
    noDelay: true,
  });
  socket.write(
    `GET ${pathname} HTTP/1.1\r\nHost: ${host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n` +
      'Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: xmpp\r\n\r\n',
  );
  let head = '';
  while (!head.includes('\r\n\r\n')) {
    const [bytes] = (await once(socket, 'data')) as [Buffer];
    head += bytes.toString('latin1');
  }
  const end = head.indexOf('\r\n\r\n') + 4;
  if (!head.startsWith('HTTP/1.1 101')) {
    socket.destroy();
    throw new Error(`${url} does not upgrade: ${head.slice(0, end)}`);
  }
  if (head.length > end) socket.unshift(latin1(head.slice(end)));
  return socket;
}
