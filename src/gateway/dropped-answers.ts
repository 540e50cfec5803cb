/**
 * Messages of no use, such as answers to nothing: each is counted, and of each kind the log tells one a minute, with its
 * shape and never its content, which may be someone's chat.
 */

import type { Logger } from 'pino';
import { MegaphoneError } from '../errors.js';
import { shapeOf } from '../etf/shape.js';
import type { Term } from '../etf/terms.js';
import type { Counters } from '../observe/counters.js';
import { LimitedLog } from '../observe/limited-log.js';

export class DroppedAnswers {
  readonly #counts: Counters['dropped'];
  readonly #log: LimitedLog;

  constructor(counters: Counters, log: Logger) {
    this.#counts = counters.dropped;
    this.#log = new LimitedLog(log);
  }

  stale(peer: string): void {
    this.#tell('stale', peer, () => 'something for an exchange or a WebSocket that is over');
  }

  unknownShape(term: Term, peer: string): void {
    this.#tell('unknown_shape', peer, () => `a message that is no answer: ${shapeOf(term)}`);
  }

  notText(peer: string): void {
    this.#tell('unknown_shape', peer, () => 'a frame for a WebSocket that is no UTF-8');
  }

  malformed(error: unknown, peer: string): void {
    this.#tell('malformed', peer, () => (error instanceof MegaphoneError ? error.code : String(error)));
  }

  /** @param what has its cost, so it is called only where it is told */
  #tell(kind: keyof Counters['dropped'], peer: string, what: () => string): void {
    this.#counts[kind] += 1;
    const code = `dropped_${kind}`;
    this.#log.warn(
      code,
      { code, node: peer, dropped: this.#counts },
      () => `dropped from ${peer}: ${what()}`,
    );
  }
}
