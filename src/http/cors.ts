/** Cross-origin rules for browsers (Fetch standard §3.2): which pages may talk to this endpoint. */

import type { Header } from '../gateway/answers.js';

/** What an OPTIONS request hears besides the origin; a browser may keep it for a day. */
const PREFLIGHT: readonly Header[] = [
  ['access-control-allow-methods', 'GET, HEAD, POST, OPTIONS'],
  ['access-control-allow-headers', 'Content-Type, X-Requested-With'],
  ['access-control-max-age', '86400'],
];

const ANY: readonly Header[] = [['access-control-allow-origin', '*']];
/** The answer differs by Origin, so shared caches must keep it apart (RFC 9110 §12.5.5). */
const VARY: Header = ['vary', 'Origin'];

export class Cors {
  readonly #origins: ReadonlySet<string> | undefined;

  /** @param origins e.g. `https://chat.example.org`; `*` among them allows all */
  constructor(origins: readonly string[]) {
    this.#origins = origins.includes('*') ? undefined : new Set(origins);
  }

  /** Headers for every answer to a request with this `Origin`. */
  headers(origin: string | undefined): readonly Header[] {
    if (this.#origins === undefined) return ANY;
    if (origin === undefined || !this.#origins.has(origin)) return [VARY];
    return [['access-control-allow-origin', origin], VARY];
  }

  preflight(origin: string | undefined): readonly Header[] {
    return [...this.headers(origin), ...PREFLIGHT];
  }
}
