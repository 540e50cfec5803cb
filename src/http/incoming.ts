/** A request that is coming in: all that its connection knows of it, thrown away as one when it is read. */

import type { ClientInfo } from '../gateway/meta.js';
import type { HttpRequest } from '../gateway/ports.js';
import type { Slow } from './receiving.js';
import { RequestParser } from './request-parser.js';

export interface Receiver {
  clientOf(request: RequestParser): ClientInfo;
  /** The request has to make room for others. */
  refuseSlow(): void;
}

export class Incoming implements HttpRequest, Slow {
  readonly parser: RequestParser;
  /** When its first byte came, in seconds of the front's clock. */
  readonly since: number;
  bytes = 0;
  older: Slow | undefined = undefined;
  newer: Slow | undefined = undefined;
  readonly #receiver: Receiver;

  /** @param maxBody bytes */
  constructor(receiver: Receiver, maxBody: number, since: number) {
    this.#receiver = receiver;
    this.parser = new RequestParser(maxBody);
    this.since = since;
  }

  get body(): Buffer {
    return this.parser.body;
  }

  get client(): ClientInfo {
    return this.#receiver.clientOf(this.parser);
  }

  refuse(): void {
    this.#receiver.refuseSlow();
  }
}
