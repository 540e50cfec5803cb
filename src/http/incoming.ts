/** A request that is coming in: all that its connection knows of it, thrown away as one when it is read. */

import type { Connection } from './connection.js';
import type { Slow } from './receiving.js';
import { RequestParser } from './request-parser.js';

export class Incoming implements Slow {
  readonly parser: RequestParser;
  /** Its head was looked at. */
  hasHead = false;
  /** It has its answer before its end. */
  isAnswered = false;
  bytes = 0;
  older: Slow | undefined = undefined;
  newer: Slow | undefined = undefined;
  readonly #connection: Connection;

  /** @param maxBody bytes */
  constructor(connection: Connection, maxBody: number) {
    this.#connection = connection;
    this.parser = new RequestParser(maxBody);
  }

  refuse(): void {
    this.#connection.refuseSlow();
  }
}
