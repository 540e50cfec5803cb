/** A process that publishes over HTTP: as many requests at once as it is told, each on a connection of its own for as long as the server keeps it. */

import { setTimeout as sleep } from 'node:timers/promises';
import { serve } from '../../load/child.js';
import { ClientSocket, received, Target } from '../../load/client-socket.js';
import { ResponseReader } from '../../load/http-response.js';
import { write } from './messages.js';

/** How the server is told: the JSON of GRIP, several messages a request; or a text, its id in the URL, as nchan has it. */
export type Style = 'grip' | 'nchan';

export interface Begin {
  /** For nchan the id is appended. */
  readonly url: string;
  readonly style: Style;
  readonly token: string | undefined;
  /** From the number `first` on, or the one id. */
  readonly ids: { readonly first: number; readonly count: number } | { readonly one: string };
}

export interface Commands {
  begin(options: Begin): void;
  /**
   * So many messages, to the ids in turn. Returns the seconds until all are answered.
   * @param batch of them in one request
   */
  publish(messages: number, batch: number, atOnce: number): Promise<number>;
  /** One message of each id at this rate a second, until `stop`. Returns how many went to each id. */
  pace(perSecond: number): void;
  stop(): Promise<number>;
}

const PACED_BATCH = 100;
const PACED_AT_ONCE = 4;

class Publisher {
  readonly #options: Begin;
  readonly #target: Target;
  readonly #head: string;
  readonly #ids: readonly string[];
  readonly #numbers: number[];
  #next = 0;

  constructor(options: Begin) {
    this.#options = options;
    this.#target = new Target(options.url, false);
    const token = options.token === undefined ? '' : `Authorization: Bearer ${options.token}\r\n`;
    this.#head = `Host: ${this.#target.host}\r\n${token}Content-Type: application/json\r\n`;
    const { ids } = options;
    this.#ids = 'one' in ids ? [ids.one] : Array.from({ length: ids.count }, (_, i) => String(ids.first + i));
    this.#numbers = this.#ids.map(() => 0);
  }

  get target(): Target {
    return this.#target;
  }

  request(batch: number): string {
    const { url, style } = this.#options;
    const { pathname } = new URL(url);
    if (style === 'nchan') {
      const { id, text } = this.#message();
      return this.#text(`${pathname}${id}`, text);
    }
    const items = Array.from({ length: batch }, () => {
      const { id, text } = this.#message();
      return { channel: id, formats: { 'http-stream': { content: `data: ${text}\n\n` } } };
    });
    return this.#text(pathname, JSON.stringify({ items }));
  }

  #text(path: string, body: string): string {
    return `POST ${path} HTTP/1.1\r\n${this.#head}Content-Length: ${body.length}\r\n\r\n${body}`;
  }

  #message(): { id: string; text: string } {
    const index = this.#next;
    this.#next = (index + 1) % this.#ids.length;
    const number = (this.#numbers[index] ?? 0) + 1;
    this.#numbers[index] = number;
    return { id: this.#ids[index] ?? '', text: write(number) };
  }

  get count(): number {
    return this.#ids.length;
  }

  get last(): number {
    return Math.max(...this.#numbers);
  }

  async publish(messages: number, batch: number, atOnce: number): Promise<number> {
    const begin = performance.now();
    let left = messages;
    const next = (): string | undefined => {
      if (left <= 0) return undefined;
      const size = Math.min(batch, left);
      left -= size;
      return this.request(size);
    };
    await Promise.all(Array.from({ length: atOnce }, () => new Lane(this.#target, next).done));
    return (performance.now() - begin) / 1000;
  }
}

/** One request after the other. */
class Lane {
  readonly done: Promise<void>;
  readonly #target: Target;
  readonly #next: () => string | undefined;
  #reader = new ResponseReader();
  #socket: ClientSocket | undefined;
  #request: string | undefined;
  #resolve = (): void => {};
  #reject = (_: Error): void => {};

  constructor(target: Target, next: () => string | undefined) {
    this.#target = target;
    this.#next = next;
    this.done = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    this.#send();
  }

  #send(): void {
    this.#request = this.#next();
    if (this.#request === undefined) {
      this.#socket?.close();
      this.#resolve();
      return;
    }
    this.#socket ??= new ClientSocket(this.#target, this);
    this.#socket.write(this.#request);
  }

  read(size: number): void {
    const response = this.#reader.push(received.toString('latin1', 0, size));
    if (response === undefined) return;
    if (response.status >= 300) throw new Error(`publishing was answered with ${response.status}`);
    if (!response.keepAlive) {
      this.#socket?.close();
      this.#socket = undefined;
    }
    this.#send();
  }

  lost(error: NodeJS.ErrnoException | undefined): void {
    this.#reject(error ?? new Error('the server closed a connection of a publisher'));
  }
}

let begun: Publisher | undefined;
let pacing: Promise<void> | undefined;
let isStopped = false;

function publisher(): Publisher {
  if (begun === undefined) throw new Error('begin comes first');
  return begun;
}

async function pace(perSecond: number): Promise<void> {
  const begin = performance.now();
  for (let sent = 0; !isStopped; sent += 1) {
    const due = begin + (sent * 1000) / perSecond;
    await sleep(Math.max(0, due - performance.now()));
    await publisher().publish(publisher().count, PACED_BATCH, PACED_AT_ONCE);
  }
}

const commands: Commands = {
  begin: (options) => {
    begun = new Publisher(options);
  },
  publish: (messages, batch, atOnce) => publisher().publish(messages, batch, atOnce),
  pace: (perSecond) => {
    pacing = pace(perSecond);
  },
  stop: async () => {
    isStopped = true;
    await pacing;
    return publisher().last;
  },
};

serve(commands);
