/**
 * Where messages come from: nodes with a router, and this gateway itself, where there is none. Each has an index, by which ids note its
 * numbers; those of nodes that are gone stay, for the numbers of pages do.
 */

import { tagOf } from '../gateway/sid.js';

export interface Origin {
  readonly index: number;
  readonly node: string;
  /** In places. */
  readonly tag: string;
  /** The smallest number that it gives out since it started. */
  life: number;
  /** It takes questions. */
  isWelcome: boolean;
}

/** The gateway's own. */
export const OWN = 0;

export class Origins {
  readonly own: Origin;
  readonly #all: Origin[] = [];
  readonly #byNode = new Map<string, Origin>();
  readonly #byTag = new Map<string, Origin>();
  #welcome: readonly Origin[] = [];
  /** Whether there was one that is welcome, since the start. */
  hadWelcome = false;

  /** @param life the time in microseconds, as nodes have it */
  constructor(node: string, life: number) {
    this.own = this.meet(node);
    this.own.life = life;
  }

  at(index: number): Origin {
    return this.#all[index] as Origin;
  }

  find(node: string): Origin | undefined {
    return this.#byNode.get(node);
  }

  byTag(tag: string): Origin | undefined {
    return this.#byTag.get(tag);
  }

  /** A node that said that it is one. */
  meet(node: string): Origin {
    const known = this.#byNode.get(node);
    if (known !== undefined) return known;
    const origin: Origin = { index: this.#all.length, node, tag: tagOf(node), life: 0, isWelcome: false };
    this.#all.push(origin);
    this.#byNode.set(node, origin);
    this.#byTag.set(origin.tag, origin);
    return origin;
  }

  /** Nodes that take logins, by name. */
  get welcome(): readonly Origin[] {
    return this.#welcome;
  }

  setWelcome(origin: Origin, isWelcome: boolean): void {
    if (origin.isWelcome === isWelcome) return;
    origin.isWelcome = isWelcome;
    this.hadWelcome ||= isWelcome;
    this.#welcome = this.#all.filter((each) => each.isWelcome).sort((a, b) => (a.node < b.node ? -1 : 1));
  }
}
