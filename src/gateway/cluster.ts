/** Which ejabberd nodes there are, and which one gets a request. */

import type { Logger } from 'pino';
import { ClusterNode, type NodeListener } from './cluster-node.js';
import type { BodyBudget } from './outbox.js';
import type { Clock, ErlangNode } from './ports.js';
import { tagOfSid } from './sid.js';

export class Cluster {
  readonly nodes: readonly ClusterNode[];
  #next = 0;

  /** @param budget for the bodies of requests, of all nodes together */
  constructor(
    node: ErlangNode,
    names: readonly string[],
    budget: BodyBudget,
    clock: Clock,
    log: Logger,
    listener: NodeListener,
  ) {
    this.nodes = names.map((name) => new ClusterNode(name, budget, node, clock, log, listener));
    node.on('up', (name) => this.find(name)?.up());
    node.on('down', (name, error) => this.find(name)?.down(error));
    node.on('unreachable', (name, error) => this.find(name)?.unreachable(error));
  }

  get inService(): number {
    return this.nodes.reduce((count, node) => (node.kind === undefined ? count : count + 1), 0);
  }

  /** Some node in service takes no new sessions, by its own word. */
  get isFull(): boolean {
    return this.nodes.some((node) => node.isFull);
  }

  /**
   * The node for a request: that of its sid (it may be out of service, or behind), or without a sid the next that takes
   * new sessions. `undefined`: there is none.
   */
  route(sid: string | undefined): ClusterNode | undefined {
    const [only] = this.nodes;
    // A person at a shell wants to see whatever is sent.
    if (this.nodes.length === 1 && only?.kind === 'plain') return only;
    if (sid === undefined) return this.#nextForSession();
    const tag = tagOfSid(sid);
    return this.nodes.find((node) => node.tag === tag);
  }

  find(name: string): ClusterNode | undefined {
    return this.nodes.find((node) => node.name === name);
  }

  /** Every second. */
  tick(): void {
    for (const node of this.nodes) node.tick();
  }

  stop(): void {
    for (const node of this.nodes) node.stop();
  }

  /** Round robin: sessions cost about the same, and clients that come back spread evenly. */
  #nextForSession(): ClusterNode | undefined {
    for (let i = 0; i < this.nodes.length; i += 1) {
      const node = this.nodes[(this.#next + i) % this.nodes.length];
      if (node?.takesSessions) {
        this.#next = (this.#next + i + 1) % this.nodes.length;
        return node;
      }
    }
    return undefined;
  }
}
