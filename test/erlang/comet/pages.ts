/** Real clients of comet, for tests. */

import { type ChildProcess, spawn } from 'node:child_process';
import { EventSource } from 'undici';
import { WebSocket } from 'ws';
import { killChild } from '../../../scripts/support/epmd.js';
import type { Service } from '../../../src/service/service.js';
import { happens, until } from '../../support/until.js';

export const urlOf = (service: Service, ids: string): string =>
  `http://127.0.0.1:${service.bosh.port}/comet/${ids}`;

/** What a page hears, whatever it listens over. */
export interface Heard {
  readonly data: string[];
  close(): void;
}

/** Resolves when it listens. */
export async function eventSource(url: string, events: readonly string[] = ['message']): Promise<Heard> {
  const source = new EventSource(url);
  const data: string[] = [];
  for (const event of events)
    source.addEventListener(event, (message) => data.push((message as MessageEvent).data));
  await happensTo(source, 'place');
  return { data, close: () => source.close() };
}

const happensTo = async (source: EventSource, event: string): Promise<void> => {
  let has = false;
  source.addEventListener(event, () => {
    has = true;
  });
  await until(() => has);
};

export async function webSocket(
  url: string,
  protocols: string[] = [],
  headers: Readonly<Record<string, string>> = {},
): Promise<Heard & { readonly socket: WebSocket }> {
  const socket = new WebSocket(url.replace(/^http/, 'ws'), protocols, { headers });
  const data: string[] = [];
  let listens = false;
  socket.on('message', (message) => {
    const { id, data: text } = JSON.parse(String(message));
    if (text === undefined) listens = id !== undefined;
    else data.push(text);
  });
  await until(() => listens);
  return { data, socket, close: () => socket.close() };
}

/** `curl -N`: what it prints, as it comes; the answer's head no sooner than something behind it. */
export class Curl {
  readonly #child: ChildProcess;
  output = '';

  constructor(url: string, ...args: readonly string[]) {
    this.#child = spawn('curl', ['-sNi', ...args, url], { stdio: ['ignore', 'pipe', 'inherit'] });
    this.#child.stdout?.setEncoding('utf8').on('data', (text) => {
      this.output += text;
    });
  }

  /** Its exit code: 0 where the stream ended as it has to. */
  async ended(): Promise<number> {
    if (this.#child.exitCode === null) await happens(this.#child, 'exit');
    return this.#child.exitCode ?? -1;
  }

  kill(): Promise<void> {
    return killChild(this.#child);
  }
}

/** Asks again and again, each time from its last place on, until it is closed. */
export class Poller implements Heard {
  readonly data: string[] = [];
  #place = '';
  readonly #url: string;
  readonly #abort = new AbortController();
  #polls = 0;

  static async start(url: string): Promise<Poller> {
    const poller = new Poller(url);
    await until(() => poller.#place !== '' && poller.#polls > 1);
    return poller;
  }

  private constructor(url: string) {
    this.#url = url;
    void this.#run().catch(() => {});
  }

  close(): void {
    this.#abort.abort();
  }

  async #run(): Promise<void> {
    while (!this.#abort.signal.aborted) {
      this.#polls += 1;
      const place = this.#place === '' ? '' : `&last-event-id=${encodeURIComponent(this.#place)}`;
      const response = await fetch(`${this.#url}?poll${place}`, { signal: this.#abort.signal });
      const events: unknown = response.status === 200 ? await response.json() : [];
      for (const event of events as { id?: string; data?: string }[]) {
        this.#place = event.id ?? this.#place;
        if (event.data !== undefined) this.data.push(event.data);
      }
    }
  }
}
