/** What a gateway sees of its cluster, as plain data: the answer to the call `nodes`. */

import type { Cluster } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';

export type NodeSeen = {
  readonly node: string;
  /** As in standing.ts: in service where it is `module` or `plain`. */
  readonly standing: string;
  /** Why it is out of service; empty while it is in. */
  readonly reason: string;
  /** By its own word: `in_service`, `draining`, `stopping`. */
  readonly state: string;
  readonly takes_sessions: boolean;
  readonly sessions: number;
  readonly weight: number;
  readonly sessions_started: number;
  readonly requests_waiting: number;
  /** It is named in the configuration. */
  readonly seed: boolean;
  /** Of the other nodes in service those that know it. */
  readonly known_by: readonly string[];
  readonly leaving: boolean;
};

export function clusterReport(cluster: Pick<Cluster, 'nodes' | 'isSeed'>): readonly NodeSeen[] {
  return cluster.nodes.map((node) => ({
    node: node.name,
    standing: node.standing,
    reason: node.reason,
    state: node.room.state,
    takes_sessions: node.takesSessions,
    sessions: node.room.sessions,
    weight: node.room.weight,
    sessions_started: node.room.started,
    requests_waiting: node.outbox.waiting.size,
    seed: cluster.isSeed(node),
    known_by: cluster.nodes.filter((other) => other !== node && knows(other, node)).map(({ name }) => name),
    leaving: node.isLeaving,
  }));
}

const knows = ({ says }: ClusterNode, { name }: ClusterNode): boolean => says?.known.has(name) === true;
