/**
 * Those whose handshake goes on, by their address. There is always room for one more: it takes the place of the one
 * that has been at it for longest among those of the address that has most.
 */
export class Newcomers<T> {
  readonly #most: number;
  /** With their addresses, the oldest first. */
  readonly #all = new Map<T, string>();
  readonly #counts = new Map<string, number>();

  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#all.size;
  }

  /** @returns the one that has to go */
  add(newcomer: T, address: string): T | undefined {
    this.#all.set(newcomer, address);
    this.#counts.set(address, (this.#counts.get(address) ?? 0) + 1);
    if (this.#all.size <= this.#most) return undefined;
    const evicted = this.#oldestOfMost();
    if (evicted !== undefined) this.remove(evicted);
    return evicted;
  }

  remove(newcomer: T): void {
    const address = this.#all.get(newcomer);
    if (address === undefined) return;
    this.#all.delete(newcomer);
    const left = (this.#counts.get(address) ?? 0) - 1;
    if (left > 0) this.#counts.set(address, left);
    else this.#counts.delete(address);
  }

  [Symbol.iterator](): IterableIterator<T> {
    return this.#all.keys();
  }

  #oldestOfMost(): T | undefined {
    const most = Math.max(...this.#counts.values());
    for (const [newcomer, address] of this.#all) if (this.#counts.get(address) === most) return newcomer;
    return undefined;
  }
}
