/**
 * The sessions of the cluster's nodes page by page, as `megaphone_listing` tells them on each: one node after the other, and no more
 * of them looked at for one question than a node does in a moment. Nor does one take longer than who asked stays there: what has
 * been told by then is a page, too.
 */

import { MegaphoneError } from '../errors.js';
import { Atom, binary, type Term, Tuple } from '../etf/terms.js';
import type { ClusterNode } from './cluster-node.js';
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

interface Nodes {
  readonly nodes: readonly (Pick<ClusterNode, 'name' | 'kind'> & {
    readonly room: { readonly sessions: number };
  })[];
}

interface NodePage {
  readonly rows: readonly SessionRow[];
  readonly next: number | undefined;
  readonly lookedAt: number;
}

const MODULE = 'megaphone_listing';
/** How many sessions are looked at for one page. */
const AT_MOST = 1000;
/** A node itself takes no more than 2.5 s. Both together are less than a connection of the admin port has (10 s). */
const TIMEOUT_MS = 5_000;
/** Of a page's time, after which no other node is asked. */
const ASKING_MS = 3_000;
const CURSOR = /^(\d{1,12}):(.+)$/;

export class ModuleSessions {
  readonly #node: Pick<ErlangNode, 'rpc'>;
  readonly #cluster: Nodes;
  readonly #now: () => number;

  /** @param now milliseconds, never running backwards */
  constructor(node: Pick<ErlangNode, 'rpc'>, cluster: Nodes, now: () => number = () => performance.now()) {
    this.#node = node;
    this.#cluster = cluster;
    this.#now = now;
  }

  /** @throws MegaphoneError GATEWAY_NO_LIST: the first that was asked did not answer */
  async page({ search, after, limit }: SessionQuery): Promise<SessionPage> {
    const modules = this.#cluster.nodes.filter(({ kind }) => kind === 'module');
    const names = modules.map(({ name }) => name).sort();
    const total = modules.reduce((sum, { room }) => sum + room.sessions, 0);
    const [, from = '0', first = ''] = CURSOR.exec(after) ?? [];
    const sessions: SessionRow[] = [];
    let lookedAt = 0;
    let next = Number(from);
    let isFirst = true;
    const until = this.#now() + ASKING_MS;
    for (const name of names.filter((one) => one >= first)) {
      // What was told of another node's table is no place in this one's.
      if (name !== first) next = 0;
      const here = { sessions, next: `${next}:${name}`, looked_at: lookedAt, total };
      const isFull = sessions.length >= limit || lookedAt >= AT_MOST;
      if (isFull || this.#now() >= until) return here;
      let page: NodePage;
      try {
        page = await this.#ask(name, search, next, limit - sessions.length, AT_MOST - lookedAt);
      } catch (error) {
        // What others told is not lost with it. Who goes on from here is told.
        if (isFirst || !(error instanceof MegaphoneError)) throw error;
        return here;
      }
      isFirst = false;
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

  async #ask(node: string, search: string, from: number, wanted: number, atMost: number): Promise<NodePage> {
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
