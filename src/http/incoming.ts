/** A request that is coming in: all that its connection knows of it, thrown away as one when it is read. */

import type { ClientInfo } from '../gateway/meta.js';
import type { HttpRequest } from '../gateway/ports.js';
import type { LimitedRequest } from './address-limits.js';
import { clientInfo } from './client-info.js';
import type { Asked } from './comet/asked.js';
import type { Front } from './front.js';
import type { Slow } from './receiving.js';
import { RequestParser } from './request-parser.js';
import type { Wire } from './wire.js';

interface Receiver {
  /** As which it is limited. */
  readonly address: string;
  /** The request has to make room for others. */
  refuseSlow(): void;
}

export class Incoming implements HttpRequest, LimitedRequest, Slow {
  readonly parser: RequestParser;
  /** When its first byte came, in seconds of the front's clock. */
  readonly since: number;
  bytes = 0;
  older: Slow | undefined = undefined;
  newer: Slow | undefined = undefined;
  /** It is a poll of comet. */
  poll: Asked | undefined = undefined;
  readonly #receiver: Receiver;
  readonly #wire: Wire;
  readonly #front: Front;
  #skipped = 0;

  constructor(receiver: Receiver, wire: Wire, front: Front) {
    this.#receiver = receiver;
    this.#wire = wire;
    this.#front = front;
    this.parser = new RequestParser(front.maxBody);
    this.since = front.now;
  }

  get body(): Buffer {
    return this.parser.body;
  }

  /** Of its connection. */
  get address(): string {
    return this.#receiver.address;
  }

  get forwardedFor(): string {
    return this.parser.header('x-forwarded-for') ?? '';
  }

  get client(): ClientInfo {
    return clientInfo(this.#wire, this.parser, this.#front);
  }

  /** Passes over so many bytes more of its body. @returns `false`: those were too many */
  skip(bytes: number): boolean {
    this.#skipped += bytes;
    return this.#skipped <= MAX_SKIPPED;
  }

  refuse(): void {
    this.#receiver.refuseSlow();
  }
}

/** Bytes that are passed over, so that a client hears why before the connection ends (RFC 9110 §15.5.14): a body too large, and what comes behind the last request. */
export const MAX_SKIPPED = 1024 ** 2;

const CR = 13;
const LF = 10;

/** Some clients send one behind a request (RFC 9112 §2.2): it does not begin another. */
export function skipEmptyLines(bytes: Buffer, start: number): number {
  let at = start;
  while (bytes[at] === CR || bytes[at] === LF) at += 1;
  return at;
}
