/**
 * The sessions of the cluster's nodes page by page, as `megaphone_listing` tells them on each: one node after the other, and no more
 * of them looked at for one question than a node does in a moment.
 */

import { MegaphoneError } from '../errors.js';
import { Atom, binary, type Term, Tuple } from '../etf/terms.js';
import type { Cluster } from './cluster.js';
import type { ErlangNode } from './ports.js';

export interface SessionQuery {
  /** What the user, or the address, begins with. */
  readonly search: string;
  /** `next` of the page before; empty for the first. */
  readonly after: string;
  readonly limit: number;
}

export interface SessionRow {
  /** Names it on its node, as long as it lives. */
  readonly id: string;
  readonly node: string;
  readonly user: string;
  readonly address: string;
  readonly transport: string;
  readonly state: string;
  readonly held: number;
  readonly memory_bytes: number;
  /** Since the login; `null` before. */
  readonly age_seconds: number | null;
}

export interface SessionPage {
  readonly sessions: readonly SessionRow[];
  /** `null`: there are no more. */
  readonly next: string | null;
  readonly looked_at: number;
  /** Of all nodes in service, as they say. */
  readonly total: number;
}

const MODULE = 'megaphone_listing';
/** How many sessions are looked at for one page. */
const AT_MOST = 1000;
const TIMEOUT_MS = 8_000;
const CURSOR = /^(\d{1,12}):(.+)$/;

export class ModuleSessions {
  readonly #node: Pick<ErlangNode, 'rpc'>;
  readonly #cluster: Pick<Cluster, 'nodes'>;

  constructor(node: Pick<ErlangNode, 'rpc'>, cluster: Pick<Cluster, 'nodes'>) {
    this.#node = node;
    this.#cluster = cluster;
  }

  /** @throws MegaphoneError NODE_…, LINK_…: a node did not answer */
  async page({ search, after, limit }: SessionQuery): Promise<SessionPage> {
    const modules = this.#cluster.nodes.filter(({ kind }) => kind === 'module');
    const names = modules.map(({ name }) => name).sort();
    const total = modules.reduce((sum, { room }) => sum + room.sessions, 0);
    const [, from = '0', first = ''] = CURSOR.exec(after) ?? [];
    const sessions: SessionRow[] = [];
    let lookedAt = 0;
    let next = Number(from);
    for (const name of names.filter((one) => one >= first)) {
      // What was told of another node's table is no place in this one's.
      if (name !== first) next = 0;
      const isFull = sessions.length >= limit || lookedAt >= AT_MOST;
      if (isFull) return { sessions, next: `${next}:${name}`, looked_at: lookedAt, total };
      const page = await this.#ask(name, search, next, limit - sessions.length, AT_MOST - lookedAt);
      sessions.push(...page.rows);
      lookedAt += page.lookedAt;
      if (page.next !== undefined)
        return { sessions, next: `${page.next}:${name}`, looked_at: lookedAt, total };
    }
    return { sessions, next: null, looked_at: lookedAt, total };
  }

  /** @returns whether there was such a session @throws MegaphoneError NODE_…, LINK_… */
  async close(node: string, id: string): Promise<boolean> {
    if (!this.#cluster.nodes.some(({ name, kind }) => name === node && kind === 'module')) return false;
    const answer = await this.#call(node, 'close', [binary(id)]);
    return answer instanceof Atom && answer.name === 'ok';
  }

  async #ask(node: string, search: string, from: number, wanted: number, atMost: number) {
    const answer = await this.#call(node, 'page', [binary(search), from, wanted, atMost]);
    const [rows, next, lookedAt] = elementsOf(answer);
    return {
      rows: Array.isArray(rows) ? (rows as readonly Term[]).flatMap((row) => readRow(row, node)) : [],
      next: typeof next === 'number' ? next : undefined,
      // An answer of another form must not go on for ever.
      lookedAt: typeof lookedAt === 'number' ? Math.max(1, lookedAt) : AT_MOST,
    };
  }

  async #call(node: string, name: string, args: readonly Term[]): Promise<Term> {
    try {
      return await this.#node.rpc(node, MODULE, name, args, TIMEOUT_MS);
    } catch (cause) {
      if (!(cause instanceof MegaphoneError)) throw cause;
      const hint = 'is its mod_megaphone of this release, and is the node not too busy to answer?';
      throw new MegaphoneError('GATEWAY_NO_LIST', `${node} did not tell its sessions: ${cause.message}`, {
        node,
        hint,
        cause,
      });
    }
  }
}

function readRow(term: Term, node: string): SessionRow[] {
  const [id, user, address, transport, state, held, memory, age] = elementsOf(term);
  return [
    {
      id: textOf(id),
      node,
      user: textOf(user),
      address: textOf(address),
      transport: textOf(transport),
      state: textOf(state),
      held: numberOf(held),
      memory_bytes: numberOf(memory),
      age_seconds: numberOf(age) < 0 ? null : numberOf(age),
    },
  ];
}

const elementsOf = (term: Term): readonly (Term | undefined)[] =>
  term instanceof Tuple ? term.elements : [];
const textOf = (term: Term | undefined): string =>
  term instanceof Uint8Array ? Buffer.from(term).toString('utf8') : '';
const numberOf = (term: Term | undefined): number => (typeof term === 'number' ? term : -1);
