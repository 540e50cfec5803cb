/** How much room a node has for new sessions: what it says of itself, and what it was given since. */

import { type ClusterInfo, IN_SERVICE, STOPPING, WEIGHT } from './cluster-info.js';
import type { Clock } from './ports.js';

/** Seconds that a node may go without new sessions at its word. */
const MAX_FULL = 60;

export class NodeRoom {
  readonly #clock: Clock;
  #started = 0;
  /** Of them those since it said how many it has. */
  #startedSince = 0;
  #says: ClusterInfo | undefined;
  /** Until this second it takes no new sessions, as it said. */
  #fullUntil = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Sessions that were started there from here. */
  get started(): number {
    return this.#started;
  }

  /** As far as is known. */
  get sessions(): number {
    return (this.#says?.sessions ?? 0) + this.#startedSince;
  }

  get weight(): number {
    return this.#says?.weight ?? WEIGHT;
  }

  get state(): string {
    return this.#says?.state ?? IN_SERVICE;
  }

  /** What it said last. */
  get says(): ClusterInfo | undefined {
    return this.#says;
  }

  /** By its own word: for a while, or because its sessions are to go elsewhere, or for good. */
  get isClosed(): boolean {
    return this.#fullUntil > this.#clock.now || this.state !== IN_SERVICE || this.weight === 0;
  }

  /** What it had is elsewhere when it goes out of service. */
  get isStopping(): boolean {
    return this.state === STOPPING;
  }

  /** The less, the more room there is. */
  get load(): number {
    return this.sessions / this.weight;
  }

  countSession(): void {
    this.#started += 1;
    this.#startedSince += 1;
  }

  tell(says: ClusterInfo): void {
    this.#says = says;
    this.#startedSince = 0;
  }

  /** It takes no new sessions for so long; those it has go on. */
  full(seconds: number): void {
    this.#fullUntil = this.#clock.now + Math.min(seconds, MAX_FULL);
  }

  /** It comes into service. What it said of its cluster holds until it says it anew. */
  reopen(): void {
    this.#fullUntil = 0;
  }
}

/** The one with more room of two by chance (power of two choices): many gateways that choose so do not all run to the same. */
export function withMoreRoom<Node extends { readonly room: Pick<NodeRoom, 'load'> }>(
  nodes: readonly Node[],
  random: () => number = Math.random,
): Node | undefined {
  const one = Math.floor(random() * nodes.length);
  const other = (one + 1 + Math.floor(random() * (nodes.length - 1))) % nodes.length;
  const [first, second] = [nodes[one], nodes[other]];
  if (first === undefined || second === undefined) return first;
  return second.room.load < first.room.load ? second : first;
}
