/**
 * Where a process is that can be asked. On each connected node its name is watched, and where it is not, it is looked for again.
 *
 *   state     of the name on that node                                      may be asked
 *   there     nobody has said otherwise                                     yes
 *   away      it is not, or has ended: looked for again after RETRY         no
 */

import { isAtom } from '../../gateway/contract.js';
import type { HiddenNode } from '../../node/hidden-node.js';

export type DoorNode = Pick<HiddenNode, 'on' | 'monitor'>;

/** Seconds. */
const RETRY = 1;
const THERE = 0;

export class Doors {
  readonly #node: DoorNode;
  readonly #name: string;
  readonly #named: readonly string[];
  readonly #onGone: (node: string) => void;
  /** Of each connected node, in the order in which they came: `THERE`, or when it is looked for again, in seconds. */
  readonly #doors = new Map<string, number>();
  #now = 0;

  /** @param named nodes in the order in which they are asked; none: any. @param onGone what was asked there is not answered any more */
  constructor(node: DoorNode, name: string, named: readonly string[], onGone: (node: string) => void) {
    this.#node = node;
    this.#name = name;
    this.#named = named;
    this.#onGone = onGone;
    node.on('up', (peer) => this.#watch(peer));
    node.on('down', (peer) => {
      if (this.#doors.delete(peer)) onGone(peer);
    });
  }

  /** The node to ask at; `undefined`: there is none. */
  get first(): string | undefined {
    const nodes = this.#named.length > 0 ? this.#named : this.#doors.keys();
    for (const node of nodes) if (this.#doors.get(node) === THERE) return node;
    return undefined;
  }

  /** Once a second. */
  tick(now: number): void {
    this.#now = now;
    for (const [node, at] of this.#doors) if (at !== THERE && at <= now) this.#watch(node);
  }

  #watch(node: string): void {
    if (this.#named.length > 0 && !this.#named.includes(node)) return;
    this.#doors.set(node, THERE);
    this.#node.monitor(node, this.#name, (reason) => {
      // Of the connection's end `down` tells.
      if (isAtom(reason, 'noconnection') || !this.#doors.has(node)) return;
      this.#doors.set(node, this.#now + RETRY);
      this.#onGone(node);
    });
  }
}
