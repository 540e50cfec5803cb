/** What a server sends, read as a client reads it: strictly, by `ws`. */

import { Receiver } from '../ws-receiver.js';
import { tell } from './case.js';

export class Answers {
  /** Texts and Pongs; at last the end. */
  readonly lines: string[] = [];
  readonly #tellText: (text: Buffer) => string | undefined;
  readonly #receiver = new Receiver({ isServer: false });
  #isClosed = false;

  /** @param tellText how a text is written down, `undefined`: not at all */
  constructor(tellText = (text: Buffer): string | undefined => tell('text', text)) {
    this.#tellText = tellText;
    this.#receiver
      .on('message', (message: Buffer, isBinary: boolean) => {
        const line = isBinary ? tell('binary', message) : this.#tellText(message);
        if (line !== undefined) this.lines.push(line);
      })
      .on('pong', (payload: Buffer) => this.lines.push(tell('pong', payload)))
      .on('conclude', (code: number) => this.#end(code === 1005 ? 'close' : `close ${code}`))
      .on('error', ({ message }: Error) => this.#end(message));
  }

  /** A Close frame came, or what is none of a server's. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  read(bytes: Buffer): void {
    // What follows a Close frame is no affair of a client's any more.
    if (!this.#isClosed) this.#receiver.write(bytes);
  }

  /** The connection is over. */
  cut(): void {
    if (!this.#isClosed) this.#end('cut');
  }

  #end(line: string): void {
    this.#isClosed = true;
    this.lines.push(line);
  }
}
