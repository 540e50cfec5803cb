/** How many were refused in the last minute, by cause: of the sums since the gateway's start, as far as this page saw them. */

const KEPT_SECONDS = 60;

/** @typedef {Readonly<Record<string, number>>} Sums */

export class Recent {
  /** @type {{ readonly at: number, readonly uptime: number, readonly sums: Sums }[]} the oldest first */
  #seen = [];

  /**
   * @param {number} at seconds since 1970
   * @param {number} uptime a gateway that started anew counts from nothing
   * @param {Sums} sums
   */
  add(at, uptime, sums) {
    if (uptime < (this.#seen.at(-1)?.uptime ?? 0)) this.#seen = [{ at, uptime: 0, sums: {} }];
    this.#seen.push({ at, uptime, sums });
    while ((this.#seen[0]?.at ?? at) < at - KEPT_SECONDS) this.#seen.shift();
  }

  /** @returns {ReadonlyMap<string, number>} of what was refused at all */
  get lastMinute() {
    const first = this.#seen[0]?.sums ?? {};
    const last = Object.entries(this.#seen.at(-1)?.sums ?? {});
    const grown = last.map(([cause, sum]) => /** @type {const} */ ([cause, sum - (first[cause] ?? 0)]));
    return new Map(grown.filter(([, more]) => more > 0));
  }
}
