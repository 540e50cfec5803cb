/**
 * What `mod_megaphone:stats()` says on each node, for the gateway's own statistics. Nodes are asked when somebody asks
 * the gateway, and not again for some seconds; one that does not answer is left out.
 */

import { MegaphoneError } from '../errors.js';
import { Atom, type Term } from '../etf/terms.js';
import type { ModuleCounts, ModuleStats } from '../observe/module-metrics.js';
import type { Cluster } from './cluster.js';
import { MODULE } from './contract.js';
import type { ErlangNode } from './ports.js';

const KEPT_MS = 3_000;
const TIMEOUT_MS = 2_000;
/** Names of metrics are made of them. */
const NAME = /^[a-z][a-z0-9_]*$/;

export class ModuleReports {
  readonly #node: Pick<ErlangNode, 'rpc'>;
  readonly #cluster: Pick<Cluster, 'nodes'>;
  readonly #now: () => number;
  #askedAt = Number.NEGATIVE_INFINITY;
  #answers: Promise<ModuleStats> = Promise.resolve({});

  /** @param now milliseconds, never running backwards */
  constructor(
    node: Pick<ErlangNode, 'rpc'>,
    cluster: Pick<Cluster, 'nodes'>,
    now: () => number = () => performance.now(),
  ) {
    this.#node = node;
    this.#cluster = cluster;
    this.#now = now;
  }

  read(): Promise<ModuleStats> {
    if (this.#now() - this.#askedAt >= KEPT_MS) {
      this.#askedAt = this.#now();
      this.#answers = this.#askAll();
    }
    return this.#answers;
  }

  async #askAll(): Promise<ModuleStats> {
    const modules = this.#cluster.nodes.filter(({ kind }) => kind === 'module');
    const answers = await Promise.all(modules.map(({ name }) => this.#ask(name)));
    const told = modules.flatMap(({ name }, index) => {
      const counts = answers[index];
      return counts === undefined ? [] : [[name, counts] as const];
    });
    return Object.fromEntries(told);
  }

  async #ask(node: string): Promise<ModuleCounts | undefined> {
    try {
      return readCounts(await this.#node.rpc(node, MODULE, 'stats', [], TIMEOUT_MS));
    } catch (error) {
      if (error instanceof MegaphoneError) return undefined;
      throw error;
    }
  }
}

/** Of `#{atom() => integer() | #{binary() => integer()}}`; what is not of that form is left out. */
function readCounts(term: Term): ModuleCounts | undefined {
  if (!(term instanceof Map)) return undefined;
  const counts: Record<string, ModuleCounts[string]> = {};
  for (const [key, value] of term) {
    const name = readName(key);
    if (name === undefined || !NAME.test(name)) continue;
    if (typeof value === 'number') counts[name] = value;
    else if (value instanceof Map) counts[name] = readMembers(value);
  }
  return counts;
}

function readMembers(map: ReadonlyMap<Term, Term>): { readonly [member: string]: number } {
  const members: Record<string, number> = {};
  for (const [key, value] of map) {
    const name = readName(key);
    if (name !== undefined && typeof value === 'number') members[name] = value;
  }
  return members;
}

function readName(key: Term): string | undefined {
  if (key instanceof Atom) return key.name;
  return key instanceof Uint8Array ? Buffer.from(key).toString('utf8') : undefined;
}
