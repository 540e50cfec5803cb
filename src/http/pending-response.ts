/** One request of a connection from its last byte to its answer, in the order in which the requests came. */

import type { Header } from '../gateway/answers.js';
import type { HttpExchange } from '../gateway/ports.js';
import type { Counters } from '../observe/counters.js';
import type { Front } from './front.js';
import type { Incoming } from './incoming.js';
import { CLOSE, encodeResponse, type Response } from './response.js';
import { onlyAllowed } from './response-headers.js';

interface Answering {
  readonly counters: Counters;
  /** The answer to that request has come. */
  answer(due: PendingResponse, response: Response): void;
}

export class PendingResponse implements HttpExchange {
  /** The gateway's, to tell it that the client went away; 0 where there is no need to. */
  handle = 0;
  /** While it waits for those to earlier requests: whether it is the connection's last one is not known before. */
  #response: Response | undefined = undefined;
  /** The request behind this one, where the client did not wait (HTTP pipelining). */
  next: PendingResponse | undefined = undefined;
  /** The answer's header lines that depend on the request. */
  readonly #lines: string;
  readonly #isHead: boolean;
  /** The answer is the last one of its connection. */
  isLast = false;
  readonly #connection: Answering;

  constructor(connection: Answering, lines: string, isHead: boolean) {
    this.#connection = connection;
    this.#lines = lines;
    this.#isHead = isHead;
  }

  /** The gateway has it from now on, or comet. */
  begin({ service, comet, isStopping }: Front, request: Incoming): void {
    const { poll } = request;
    this.handle = (poll && comet?.polls.open(this, poll)) ?? service.request(this, request);
    if (isStopping && this.handle !== 0) service.release(this.handle);
  }

  get isAnswered(): boolean {
    return this.#response !== undefined;
  }

  /** @param isNext it is written at once; else it lets go of the bytes of others that it may lie in */
  keep(response: Response, isNext: boolean): void {
    this.#response = isNext ? response : { ...response, body: Buffer.from(response.body) };
  }

  /** The answer's bytes. @param keepAliveLines where it is not the last one of its connection */
  encode(keepAliveLines: string): Buffer {
    if (this.#response === undefined) throw new Error('there is no answer yet');
    return encodeResponse(this.#response, this.#lines + (this.isLast ? CLOSE : keepAliveLines), this.#isHead);
  }

  answer(status: number, headers: readonly Header[], body: Buffer): void {
    this.handle = 0;
    // Whoever can send a message may have written the headers.
    const response = onlyAllowed({ status, headers, body }, this.#connection.counters);
    this.#connection.answer(this, response);
  }
}
