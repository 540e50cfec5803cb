/**
 * Who is in the cluster, put together from what its nodes say: a value.
 *
 * A node is found where a node in service knows it. It has left where other nodes in service said whom they know, and none of
 * them knows it: its own word does not count, for whoever left a cluster still knows himself. While nobody else is there to
 * ask, it stays. Seeds stay in any case.
 */

import type { ClusterInfo } from './cluster-info.js';

export interface Member {
  readonly name: string;
  readonly isSeed: boolean;
  /** What it says; `undefined` while it is out of service, has not said it, or is of no account. */
  readonly says: ClusterInfo | undefined;
}

export interface Picture {
  /** Those that are no members yet, and who knows them. */
  readonly found: ReadonlyMap<string, string>;
  readonly left: ReadonlySet<string>;
  /** Those that run, as far as anybody sees; `undefined`: nobody says. */
  readonly running: ReadonlySet<string> | undefined;
}

export function pictureOf(members: readonly Member[]): Picture {
  const told = members.flatMap(({ name, says }) => (says === undefined ? [] : [{ name, says }]));
  const names = new Set(members.map(({ name }) => name));
  const found = new Map<string, string>();
  const running = new Set<string>();
  for (const { name, says } of told) {
    for (const other of says.known) if (!names.has(other)) found.set(other, name);
    for (const other of says.nodes) running.add(other);
  }
  const left = new Set<string>();
  for (const { name, isSeed } of members) {
    const others = told.filter((other) => other.name !== name);
    const isKnown = others.length === 0 || others.some(({ says }) => says.known.has(name));
    if (!isSeed && !isKnown) left.add(name);
  }
  return { found, left, running: told.length === 0 ? undefined : running };
}
