/** What this layer asks of its neighbours: the hidden node below, the HTTP front above, and each other. */

import type { HiddenNode } from '../node/hidden-node.js';
import type { Header } from './answers.js';
import type { ClientInfo } from './meta.js';

/** The hidden node. */
export type ErlangNode = Pick<
  HiddenNode,
  'name' | 'creation' | 'on' | 'adoptPids' | 'exited' | 'sendToName' | 'tellsEnds' | 'monitor' | 'rpc'
>;

/** A request, as it came in over HTTP. */
export interface HttpRequest {
  readonly body: Buffer;
  /** Who sent it: worked out when it is read, as ejabberd is told with the first request of a session only. */
  readonly client: ClientInfo;
}

/** Where its answer goes. */
export interface HttpExchange {
  /** Called once, unless the front said `closed` before. */
  answer(status: number, headers: readonly Header[], body: Buffer): void;
}

/** Coarse: set once a second. */
export interface Clock {
  /** Seconds, never running backwards. */
  readonly now: number;
}
