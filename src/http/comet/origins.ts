/**
 * Which web pages may listen, and whose cookies count.
 *
 *   page                                                        may listen   its cookies count
 *   of this very place, or what a user opens himself            yes          yes
 *   of an origin that cors_origins names                        yes          yes
 *   of any other, where cors_origins has `*`                    yes          no: they would be lent to any page that a user visits
 *   of any other                                                no           –
 *   (of http: is never of the place of one that came over TLS)
 *   one that says of no origin, and the browser says that it    yes          no
 *   is foreign (Fetch metadata)
 *
 * Programs that are no browser name no origin. A browser names none in what a page of the same place asks for, nor in pictures, scripts
 * and links of foreign pages: those it may tell apart by `Sec-Fetch-Site`, and none of those can read what comes.
 */

import type { RequestParser } from '../request-parser.js';

const PREFLIGHT = [
  'access-control-allow-methods: GET, HEAD, OPTIONS',
  'access-control-allow-headers: Authorization, Last-Event-ID, Cache-Control, Content-Type, X-Requested-With',
  'access-control-max-age: 86400',
  '',
].join('\r\n');
const ANY = 'access-control-allow-origin: *\r\n';
/** The answer differs by Origin, so caches must keep it apart (RFC 9110 §12.5.5). */
const VARY = 'vary: Origin\r\n';

type Asking = Pick<RequestParser, 'method' | 'header'>;

export class Origins {
  readonly #named: ReadonlySet<string>;
  readonly #allowsAny: boolean;

  /** @param origins as `cors_origins` */
  constructor(origins: readonly string[]) {
    this.#named = new Set(origins.filter((origin) => origin !== '*'));
    this.#allowsAny = origins.includes('*');
  }

  /** @param isSecure it came over TLS, here or as a trusted proxy says */
  mayListen(request: Asking, isSecure: boolean): boolean {
    return this.#allowsAny || request.header('origin') === undefined || this.#isNear(request, isSecure);
  }

  cookiesCount(request: Asking, isSecure: boolean): boolean {
    if (request.header('origin') !== undefined) return this.#isNear(request, isSecure);
    const site = request.header('sec-fetch-site') || 'none';
    return site === 'none' || site === 'same-origin';
  }

  /** Header lines of every answer, each with its line break. */
  linesFor(request: Asking): string {
    const lines = this.#lines(request.header('origin') ?? '');
    return request.method === 'OPTIONS' ? lines + PREFLIGHT : lines;
  }

  #lines(origin: string): string {
    if (this.#named.has(origin))
      return `access-control-allow-origin: ${origin}\r\naccess-control-allow-credentials: true\r\n${VARY}`;
    if (!this.#allowsAny) return VARY;
    return this.#named.size > 0 ? ANY + VARY : ANY;
  }

  #isNear(request: Asking, isSecure: boolean): boolean {
    const origin = request.header('origin') ?? '';
    if (this.#named.has(origin)) return true;
    const host = request.header('host')?.toLowerCase();
    if (host === undefined) return false;
    // A proxy may take TLS off, and not say so; none puts it on.
    return origin === `https://${host}` || (!isSecure && origin === `http://${host}`);
  }
}
