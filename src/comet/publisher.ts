/**
 * Messages from outside of Erlang go through a router, which is the one of their id: so those of an id stay in order. What is
 * published in one turn of the event loop to the same router is one call.
 */

import { MegaphoneError } from '../errors.js';
import { Atom, atom, type Term, tuple } from '../etf/terms.js';
import { hashOfId, termOfId } from './ids.js';
import { termOfMeta } from './message.js';
import type { Origins } from './origins.js';
import type { CometNode, Publication } from './ports.js';

export const PUBLISH = 'megaphone_publish';
const TIMEOUT_MS = 10_000;

interface Batch {
  readonly items: Term[];
  readonly done: Promise<void>;
}

export class Publisher {
  readonly #node: CometNode;
  readonly #origins: Origins;
  readonly #batches = new Map<string, Batch>();

  constructor(node: CometNode, origins: Origins) {
    this.#node = node;
    this.#origins = origins;
  }

  /** The router of an id; `undefined`: there is none at all. */
  routerOf(id: string): string | undefined {
    const { welcome } = this.#origins;
    return welcome[hashOfId(id) % welcome.length]?.node;
  }

  /**
   * Resolves when routers have all of it.
   * @throws MegaphoneError NODE_…, COMET_NOT_TAKEN
   */
  async publish(publications: readonly Publication[]): Promise<void> {
    const batches = new Set<Promise<void>>();
    for (const { ids, body, meta } of publications) {
      const metaTerm = termOfMeta(meta);
      for (const [router, its] of this.#byRouter(ids))
        batches.add(this.#add(router, tuple(its.map(termOfId), body, metaTerm)));
    }
    await Promise.all(batches);
  }

  #byRouter(ids: readonly string[]): ReadonlyMap<string, string[]> {
    const routers = new Map<string, string[]>();
    for (const id of ids) {
      const router = this.routerOf(id) ?? '';
      const its = routers.get(router);
      if (its === undefined) routers.set(router, [id]);
      else its.push(id);
    }
    return routers;
  }

  #add(router: string, item: Term): Promise<void> {
    let batch = this.#batches.get(router);
    if (batch === undefined) {
      const items: Term[] = [];
      const done = new Promise<void>((resolve) => setImmediate(resolve)).then(() =>
        this.#send(router, items),
      );
      batch = { items, done };
      this.#batches.set(router, batch);
    }
    batch.items.push(item);
    return batch.done;
  }

  async #send(router: string, items: readonly Term[]): Promise<void> {
    this.#batches.delete(router);
    const answer = await this.#node.call(router, PUBLISH, tuple(atom('publish'), items), TIMEOUT_MS);
    if (answer instanceof Atom && answer.name === 'ok') return;
    throw new MegaphoneError('COMET_NOT_TAKEN', `${router} does not take what is published`, {
      node: router,
      hint: 'Its megaphone_comet is of another release: install the one that belongs to this gateway.',
    });
  }
}
