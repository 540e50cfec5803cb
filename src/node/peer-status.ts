/** How it stands with the nodes that this one is connected to, or should be. */

import type { MegaphoneError } from '../errors.js';
import type { Traffic } from './connection.js';
import type { Connections } from './connections.js';

export interface PeerStatus extends Traffic {
  readonly node: string;
  readonly up: boolean;
  /** Why it is not up, once that is known. */
  readonly error: MegaphoneError | undefined;
}

const NO_TRAFFIC: Traffic = { bytesIn: 0, bytesOut: 0, framesIn: 0, framesOut: 0, queuedBytes: 0 };

export function peerStatus(connections: Connections): readonly PeerStatus[] {
  const up = [...connections.all()].map(({ peer, traffic }) => ({
    node: peer.name,
    up: true,
    error: undefined,
    ...traffic,
  }));
  const missing = [...connections.missing()].map((kept) => ({ ...kept, up: false, ...NO_TRAFFIC }));
  return [...up, ...missing];
}
