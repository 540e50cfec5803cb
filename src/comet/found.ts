/**
 * Nodes that routers know of: they are kept connected, for messages are sent from each of them. One that no router has named for a
 * minute is let go, unless the configuration names it.
 */

import type { CometNode } from './ports.js';

const FORGET_SECONDS = 60;
const WHO = 'comet';

export class Found {
  readonly #node: CometNode;
  readonly #configured: ReadonlySet<string>;
  /** What each router said last. */
  readonly #byRouter = new Map<string, readonly string[]>();
  /** The second at which a router named it last. */
  readonly #kept = new Map<string, number>();
  #now = 0;

  constructor(node: CometNode, configured: ReadonlySet<string>) {
    this.#node = node;
    this.#configured = configured;
  }

  /** By the configuration, or by routers. */
  get named(): ReadonlySet<string> {
    return new Set([...this.#configured, ...this.#kept.keys()]);
  }

  told(router: string, nodes: readonly string[]): void {
    this.#byRouter.set(router, nodes);
    for (const name of nodes) this.#keep(name);
  }

  tick(now: number): void {
    this.#now = now;
    for (const names of this.#byRouter.values()) for (const name of names) this.#touch(name);
    for (const [name, at] of this.#kept) {
      if (at + FORGET_SECONDS > now) continue;
      this.#kept.delete(name);
      this.#node.letGo(name, WHO);
    }
  }

  /** What it said counts no more. */
  lost(router: string): void {
    this.#byRouter.delete(router);
  }

  #keep(name: string): void {
    if (name === this.#node.name || this.#configured.has(name)) return;
    if (!this.#kept.has(name)) this.#node.keepConnected(name, undefined, WHO);
    this.#kept.set(name, this.#now);
  }

  #touch(name: string): void {
    if (this.#kept.has(name)) this.#kept.set(name, this.#now);
  }
}
