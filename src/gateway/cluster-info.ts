/**
 * What a node's module says of its cluster and of itself, `{cluster, Info}`: a map with binary keys.
 *
 *   nodes      [node()]   those that run, this one too
 *   known      [node()]   those that may be down, too
 *   state      atom()     in_service; draining or stopping: its sessions are on their way to other nodes
 *   sessions   integer    how many it has
 *   weight     integer    what part of all sessions it is to have, beside that of others
 *
 * Other keys are passed over, and a missing one means what holds while nothing was said.
 */

import { Atom, type Term } from '../etf/terms.js';

export interface ClusterInfo {
  readonly nodes: ReadonlySet<string>;
  readonly known: ReadonlySet<string>;
  readonly state: string;
  readonly sessions: number;
  readonly weight: number;
}

export const IN_SERVICE = 'in_service';
export const STOPPING = 'stopping';
export const WEIGHT = 100;

/** More nodes than a cluster of ejabberd can have: who says so makes no sense. */
const MAX_NODES = 256;
const NODE_NAME = /^[\w-]+@[\w.:-]{1,200}$/;

/** `undefined` for another term. */
export function readClusterInfo(term: Term | undefined): ClusterInfo | undefined {
  if (!(term instanceof Map)) return undefined;
  const members = new Map<string, Term>();
  for (const [key, value] of term as ReadonlyMap<Term, Term>) {
    if (key instanceof Uint8Array) members.set(Buffer.from(key).toString('latin1'), value);
  }
  const nodes = readNames(members.get('nodes'));
  const state = members.get('state');
  return {
    nodes,
    known: new Set([...nodes, ...readNames(members.get('known'))]),
    state: state instanceof Atom ? state.name : IN_SERVICE,
    sessions: readCount(members.get('sessions'), 0),
    weight: readCount(members.get('weight'), WEIGHT),
  };
}

function readNames(term: Term | undefined): ReadonlySet<string> {
  const names = Array.isArray(term) ? (term as readonly Term[]).slice(0, MAX_NODES) : [];
  return new Set(
    names.flatMap((name) => (name instanceof Atom && NODE_NAME.test(name.name) ? [name.name] : [])),
  );
}

const readCount = (term: Term | undefined, otherwise: number): number =>
  Number.isSafeInteger(term) && (term as number) >= 0 ? (term as number) : otherwise;
