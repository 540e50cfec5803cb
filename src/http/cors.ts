/** Cross-origin rules for browsers (Fetch standard §3.2): which pages may talk to this endpoint. */

/** What an OPTIONS request hears besides the origin; a browser may keep it for a day. */
const PREFLIGHT = [
  'access-control-allow-methods: GET, HEAD, POST, OPTIONS',
  'access-control-allow-headers: Content-Type, X-Requested-With',
  'access-control-max-age: 86400',
  '',
].join('\r\n');

const allow = (origin: string): string => `access-control-allow-origin: ${origin}\r\n`;
const ANY = allow('*');
/** The answer differs by Origin, so shared caches must keep it apart (RFC 9110 §12.5.5). */
const VARY = 'vary: Origin\r\n';

/** Header lines, each with its line break; one string for all requests of an origin. */
export class Cors {
  readonly #linesOf: ReadonlyMap<string, string> | undefined;

  /** @param origins e.g. `https://chat.example.org`; `*` among them allows all */
  constructor(origins: readonly string[]) {
    this.#linesOf = origins.includes('*')
      ? undefined
      : new Map(origins.map((origin) => [origin, allow(origin) + VARY]));
  }

  /** For every answer to a request with this method and `Origin`. */
  linesFor(method: string, origin: string | undefined): string {
    const lines = this.#lines(origin);
    return method === 'OPTIONS' ? lines + PREFLIGHT : lines;
  }

  #lines(origin: string | undefined): string {
    if (this.#linesOf === undefined) return ANY;
    return this.#linesOf.get(origin ?? '') ?? VARY;
  }
}
