/** One request of a connection from its last byte to its answer, in the order in which the requests came. */

import type { Header } from '../gateway/answers.js';
import type { HttpExchange } from '../gateway/gateway.js';
import type { ClientInfo } from '../gateway/meta.js';
import type { Connection } from './connection.js';
import type { BoshService } from './front.js';
import type { RequestParser } from './request-parser.js';
import type { Response } from './response.js';

export class Exchange implements HttpExchange {
  /** The gateway's, to tell it that the client went away; 0 where there is no need to. */
  handle = 0;
  /** The answer while it waits for those to earlier requests: whether it is the last one is not known before. */
  response: Response | undefined = undefined;
  /** The request behind this one, where the client did not wait (HTTP pipelining). */
  next: Exchange | undefined = undefined;
  /** The answer's header lines that depend on the request. */
  readonly lines: string;
  readonly isHead: boolean;
  /** The answer is the last one of its connection. */
  isLast: boolean;
  readonly #connection: Connection;
  /** Only while it is handed over: one that is held keeps nothing of what was read. */
  #request: RequestParser | undefined = undefined;

  constructor(connection: Connection, lines: string, isHead: boolean, isLast: boolean) {
    this.#connection = connection;
    this.lines = lines;
    this.isHead = isHead;
    this.isLast = isLast;
  }

  /** Gives the request to the gateway. */
  handOver(service: BoshService, request: RequestParser): void {
    this.#request = request;
    this.handle = service.request(this, request.body);
    this.#request = undefined;
  }

  client(): ClientInfo {
    if (this.#request === undefined)
      throw new Error('the client is known only while its request is handed over');
    return this.#connection.clientOf(this.#request);
  }

  answer(status: number, headers: readonly Header[], body: Buffer): void {
    this.handle = 0;
    this.#connection.answer(this, { status, headers, body });
  }
}
