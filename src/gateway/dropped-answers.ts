/**
 * Messages of no use, such as answers to nothing: counted each, told once a minute, with their shape and never their content, which
 * may be someone's chat.
 */

import type { Logger } from 'pino';
import { MegaphoneError } from '../errors.js';
import { shapeOf } from '../etf/shape.js';
import type { Term } from '../etf/terms.js';
import type { Counters } from '../observe/counters.js';

const REPORT_SECONDS = 60;

export class DroppedAnswers {
  readonly #counts: Counters['dropped'];
  readonly #log: Logger;
  /** The latest that the log has not told yet. */
  #latest: { readonly peer: string; readonly what: string } | undefined;
  #quietUntil = Number.NEGATIVE_INFINITY;

  constructor(counters: Counters, log: Logger) {
    this.#counts = counters.dropped;
    this.#log = log;
  }

  stale(peer: string): void {
    this.#counts.stale += 1;
    this.#latest ??= { peer, what: 'an answer to an exchange that is over' };
  }

  unknownShape(term: Term, peer: string): void {
    this.#counts.unknown_shape += 1;
    // Writing a shape down has its cost, so only once per report.
    this.#latest ??= { peer, what: `a message that is no answer: ${shapeOf(term)}` };
  }

  malformed(error: unknown, peer: string): void {
    this.#counts.malformed += 1;
    this.#latest ??= { peer, what: error instanceof MegaphoneError ? error.code : String(error) };
  }

  tick(now: number): void {
    if (this.#latest === undefined || now < this.#quietUntil) return;
    const { peer, what } = this.#latest;
    this.#log.warn({ node: peer, dropped: { ...this.#counts } }, `dropped from ${peer}: ${what}`);
    this.#latest = undefined;
    this.#quietUntil = now + REPORT_SECONDS;
  }
}
