/** Parsers that wait for a request: as many exist as requests are coming in, and few more. */

import { RequestParser } from './request-parser.js';

const MAX_FREE = 64;

export class ParserPool {
  readonly #maxBody: number;
  readonly #free: RequestParser[] = [];

  /** @param maxBody bytes */
  constructor(maxBody: number) {
    this.#maxBody = maxBody;
  }

  take(): RequestParser {
    return this.#free.pop() ?? new RequestParser(this.#maxBody);
  }

  give(parser: RequestParser): void {
    if (this.#free.length < MAX_FREE) {
      parser.reset();
      this.#free.push(parser);
    } else {
      parser.free();
    }
  }
}
