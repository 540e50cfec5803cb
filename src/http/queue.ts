/**
 * A queue whose members carry their own links: one in the middle leaves, and stands behind all others again, at the same cost
 * however many there are. In a Map it would not: what is deleted and set again stays in its chain, dead, until the next rehash.
 */

/** In one such queue at a time. The fields are the queue's own. */
export interface Member<T> {
  older: T | undefined;
  newer: T | undefined;
}

export class Queue<T extends Member<T>> {
  #oldest: T | undefined = undefined;
  #newest: T | undefined = undefined;

  get oldest(): T | undefined {
    return this.#oldest;
  }

  has(member: T): boolean {
    return member.older !== undefined || member === this.#oldest;
  }

  /** Behind all others, wherever it was. */
  append(member: T): void {
    this.remove(member);
    member.older = this.#newest;
    if (this.#newest === undefined) this.#oldest = member;
    else this.#newest.newer = member;
    this.#newest = member;
  }

  remove(member: T): void {
    if (!this.has(member)) return;
    const { older, newer } = member;
    if (older === undefined) this.#oldest = newer;
    else older.newer = newer;
    if (newer === undefined) this.#newest = older;
    else newer.older = older;
    member.older = undefined;
    member.newer = undefined;
  }
}
