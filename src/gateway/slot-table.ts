/**
 * The table of open exchanges: which held HTTP request a ConnId means.
 *
 * A ConnId is a pid with id = slot (from 1 on) and serial = the slot's generation. A slot's generation grows each
 * time it is freed, so that a ConnId of an earlier exchange in the same slot is recognised as stale. Everything is
 * O(1), and nothing grows beyond the capacity.
 */

export class SlotTable<Exchange> {
  readonly #capacity: number;
  readonly #exchanges: (Exchange | undefined)[] = [undefined];
  readonly #generations: Uint32Array;
  /** Freed slots, the latest on top: a quiet table stays within few cache lines. */
  readonly #freed: Uint32Array;
  #freedCount = 0;
  #size = 0;

  constructor(capacity: number) {
    this.#capacity = capacity;
    this.#generations = new Uint32Array(capacity + 1);
    this.#freed = new Uint32Array(capacity);
  }

  /** How many exchanges are open. */
  get size(): number {
    return this.#size;
  }

  /** The slot now taken by `exchange`, or 0 when the table is full. */
  add(exchange: Exchange): number {
    let slot: number;
    if (this.#freedCount > 0) {
      this.#freedCount -= 1;
      slot = this.#freed[this.#freedCount] ?? 0;
    } else if (this.#exchanges.length <= this.#capacity) {
      slot = this.#exchanges.length;
    } else {
      return 0;
    }
    this.#exchanges[slot] = exchange;
    this.#size += 1;
    return slot;
  }

  get(slot: number): Exchange | undefined {
    return this.#exchanges[slot];
  }

  /** The serial of the ConnId that means the slot's present exchange. */
  generation(slot: number): number {
    return this.#generations[slot] ?? 0;
  }

  /** The open exchange of a ConnId, `undefined` when it is stale. */
  find(slot: number, generation: number): Exchange | undefined {
    return this.#generations[slot] === generation ? this.#exchanges[slot] : undefined;
  }

  /** Frees a taken slot; all ConnIds that meant it are stale from now on. */
  remove(slot: number): void {
    if (this.#exchanges[slot] === undefined) return;
    this.#exchanges[slot] = undefined;
    this.#generations[slot] = this.generation(slot) + 1;
    this.#freed[this.#freedCount] = slot;
    this.#freedCount += 1;
    this.#size -= 1;
  }

  /** Every open exchange; those that `visit` removes or adds meanwhile are allowed. */
  forEach(visit: (exchange: Exchange, slot: number) => void): void {
    for (let slot = 1; slot < this.#exchanges.length; slot += 1) {
      const exchange = this.#exchanges[slot];
      if (exchange !== undefined) visit(exchange, slot);
    }
  }
}
