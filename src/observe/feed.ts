/**
 * What the dashboard shows, made once a second for all who look at it, as JSON; and the last minutes for who begins to. While nobody
 * looks only the numbers are kept.
 */

import { FIGURES, type Figures, FigureTrack, type Snapshot } from './figures.js';
import type { Stats } from './report.js';

/** Seconds. */
const KEPT = 300;

export interface About {
  readonly version: string;
  /** Something may be asked of this gateway here, by who has the token. */
  readonly actions: boolean;
}

type Past = Figures & { readonly at: number };

export class Feed {
  readonly #about: () => About;
  readonly #track = new FigureTrack();
  /** The oldest first. */
  #past: Past[] = [];
  #latest: Snapshot | undefined;
  /** Made when somebody asks, once a second at most. */
  #snapshot: string | undefined;
  #history: string | undefined;

  constructor(about: () => About) {
    this.#about = about;
  }

  /** To be called once a second. @param now seconds, never running backwards; @param time Date.now() */
  add(stats: Stats, now: number, time: number): void {
    this.#snapshot = undefined;
    this.#history = undefined;
    this.#latest = this.#track.add(stats, now, time);
    this.#past.push({ at: Math.round(time / 1000), ...this.#latest.figures });
    // Not at each second: that would move them all.
    if (this.#past.length >= 2 * KEPT) this.#past = this.#past.slice(-KEPT);
  }

  /** `undefined` in the first second. */
  get snapshot(): string | undefined {
    if (this.#latest === undefined) return undefined;
    const { gateway, ...rest } = this.#latest;
    this.#snapshot ??= text({ ...rest, gateway: { ...gateway, ...this.#about() } });
    return this.#snapshot;
  }

  /** Column by column. */
  get history(): string {
    this.#history ??= text({ figures: columns(this.#past.slice(-KEPT)) });
    return this.#history;
  }
}

const columns = (rows: readonly Past[]) =>
  Object.fromEntries((['at', ...FIGURES] as const).map((name) => [name, rows.map((row) => row[name])]));

/** Numbers as exact as anybody can see; times as they are. */
const text = (value: unknown): string =>
  JSON.stringify(value, (name, part: unknown) =>
    typeof part === 'number' && name !== 'at' && !Number.isInteger(part) ? Number(part.toPrecision(4)) : part,
  );
