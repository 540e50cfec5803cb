/** What all pages of comet share, beside what all connections do (`Front`). */

import type { CometService } from '../../comet/ports.js';
import type { HttpExchange } from '../../gateway/ports.js';
import type { Counters } from '../../observe/counters.js';
import type { Admission } from './admission.js';
import type { Asked } from './asked.js';
import type { Origins } from './origins.js';

/** Who serves pages, and within which limits. */
export interface CometEndpoint {
  readonly service: CometService;
  readonly admission: Admission;
  /** Ids that one connection may listen to. */
  readonly maxIds: number;
  /** Bytes that may wait for a page that does not read. */
  readonly maxUnread: number;
}

export interface CometFront extends CometEndpoint {
  readonly counters: Counters;
  readonly origins: Origins;
  readonly polls: {
    /** @returns its handle */
    open(exchange: HttpExchange, asked: Asked): number;
  };
  /** WebSockets that may not listen for ever. */
  readonly expiring: Set<{ expire(now: number): void }>;
  /** Seconds of a coarse clock that never runs backwards. */
  readonly now: number;
}
