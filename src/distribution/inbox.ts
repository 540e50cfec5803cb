/** The processes of this node, for which messages and signals of others come in over a channel. */

import type { MegaphoneError } from '../errors.js';
import type { Pid } from '../etf/terms.js';
import type { ProcessId } from './control.js';

export interface Inbox {
  /**
   * A message to a pid: one term behind its 131, not decoded, from `start` to `end` of `bytes`, which stay as
   * they are but may be far more than this message. @param peer the node it came from
   */
  deliver(to: Pid, bytes: Buffer, start: number, end: number, peer: string): void;
  /** A message to a name: likewise, as a view. */
  deliverToName(name: string, payload: Buffer, peer: string): void;
  isAlive(process: ProcessId): boolean;
  /** Something came that nobody can use, and was left out. */
  unusable(error: MegaphoneError, peer: string): void;
}
