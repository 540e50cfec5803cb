/** What the plots draw: ten minutes of figures in columns, the oldest first. Where nothing was heard for a while, there is a gap. */

/** @import { Figures, History } from './types.js' */

export const KEPT_SECONDS = 600;
/** Longer than that between two of them nobody knows what was. */
const GAP_SECONDS = 4;

export class Columns {
  /** @type {number[]} seconds since 1970 */
  at = [];
  /** @type {Map<string, (number | null)[]>} */
  #columns = new Map();

  /**
   * @param {string} name
   * @returns {(number | null)[]}
   */
  of(name) {
    const column = this.#columns.get(name) ?? this.at.map(() => null);
    this.#columns.set(name, column);
    return column;
  }

  /** @param {History} history in place of all there is */
  replace({ figures: { at = [], ...figures } }) {
    this.at = [];
    this.#columns.clear();
    at.forEach((time, row) => {
      const values = Object.entries(figures).map(([name, column]) => [name, column[row] ?? null]);
      this.add(time ?? 0, Object.fromEntries(values));
    });
  }

  /**
   * @param {number} at later than what is there; else it is left out
   * @param {Figures} figures
   */
  add(at, figures) {
    const last = this.at.at(-1);
    if (last !== undefined && at <= last) return;
    if (last !== undefined && at - last > GAP_SECONDS) this.#push(last + 1, {});
    this.#push(at, figures);
    let old = 0;
    while ((this.at[old] ?? at) < at - KEPT_SECONDS) old += 1;
    if (old === 0) return;
    this.at.splice(0, old);
    for (const column of this.#columns.values()) column.splice(0, old);
  }

  /**
   * What it has been at least, or at most, of late: one look alone may be chance.
   * @param {string} name
   * @param {number} seconds
   * @returns {number} NaN where it is not known for so long
   */
  least(name, seconds) {
    const values = this.of(name).slice(-seconds);
    return values.length < seconds ? Number.NaN : Math.min(...values.map((value) => value ?? Number.NaN));
  }

  /**
   * @param {number} at
   * @param {Figures} figures
   */
  #push(at, figures) {
    for (const name of Object.keys(figures)) this.of(name);
    this.at.push(at);
    for (const [name, column] of this.#columns) column.push(figures[name] ?? null);
  }
}
