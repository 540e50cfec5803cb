/** What this layer asks of its neighbours: the hidden node below, the HTTP front above, and each other. */

import type { HiddenNode } from '../node/hidden-node.js';
import type { Header } from './answers.js';
import type { ClientInfo } from './meta.js';

/** The hidden node. */
export type ErlangNode = Pick<
  HiddenNode,
  'name' | 'creation' | 'on' | 'adoptPids' | 'exited' | 'sendToName' | 'tellsEnds' | 'monitorName' | 'rpc'
>;

/** The HTTP side of an exchange. */
export interface HttpExchange {
  /** Called, if at all, before `request` returns. */
  client(): ClientInfo;
  /** Called once, unless the front said `closed` before. */
  answer(status: number, headers: readonly Header[], body: Buffer): void;
}
