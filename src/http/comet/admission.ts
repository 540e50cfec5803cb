/** Who may listen to what: the question, whoever answers it. */

import type { Reply } from '../response.js';
import type { Asked } from './asked.js';

/** A connection that wants to listen. */
export interface Visitor {
  /** @param seconds how long it may, `Infinity` where that has no end */
  admit(ids: readonly string[], seconds: number): void;
  refuse(reply: Reply): void;
  /** It was admitted, and is to end now. @param code as of a WebSocket's Close */
  dismiss(code: number, reason: Buffer): void;
}

export interface Admission {
  /**
   * Answered by `admit` or `refuse` when this has returned, and never behind `left`.
   * @returns for `left`; 0: nobody is to be told
   */
  ask(visitor: Visitor, asked: Asked): number;
  /** The visitor is gone, admitted or not. */
  left(handle: number): void;
}

/** `comet_anyone`. */
export const ANYONE: Admission = {
  ask(visitor, { ids }) {
    queueMicrotask(() => visitor.admit(ids, Number.POSITIVE_INFINITY));
    return 0;
  },
  left() {},
};
