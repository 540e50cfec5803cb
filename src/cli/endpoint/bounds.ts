/** What one step of a check may take of time and of what is sent to it, whatever it is that answers. Beyond that all that is under way is aborted. */

import { Trouble } from './trouble.js';

export const PATIENCE_MS = 10_000;
/** In one step; what XMPP servers take as a stanza is less. */
export const MOST_BYTES = 1_000_000;

export class Bounds {
  readonly #patience: number;
  readonly #over = new AbortController();
  #bytes = 0;

  constructor(patience = PATIENCE_MS) {
    this.#patience = patience;
  }

  /** Aborted at the first bound that was met: there is no further step. */
  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** @throws Trouble where it takes longer, or receives more */
  async step<T>(work: () => Promise<T>): Promise<T> {
    this.#bytes = 0;
    const { signal } = this;
    signal.throwIfAborted();
    const timer = setTimeout(
      () => this.#over.abort(new Trouble(`no answer for ${this.#patience / 1000} s`, LATE)),
      this.#patience,
    );
    let end = (): void => {};
    const over = new Promise<never>((_, reject) => {
      end = () => reject(signal.reason);
      signal.addEventListener('abort', end);
    });
    try {
      return await Promise.race([work(), over]);
    } finally {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
    }
  }

  received(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes > MOST_BYTES)
      this.#over.abort(new Trouble(`more than ${MOST_BYTES / 1_000_000} MB was answered`, LONG));
  }

  /** The text of an answer. @throws Trouble where it is too long */
  async read(body: AsyncIterable<Uint8Array>): Promise<string> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of body) {
      this.received(chunk.length);
      this.signal.throwIfAborted();
      chunks.push(chunk);
    }
    return Buffer.concat(chunks).toString();
  }
}

const LATE = 'something on the way keeps it: look at the time-outs and buffers of proxies, and at the logs';
export const LONG = 'no XMPP server says so much: check the address, and what the proxy passes on';
