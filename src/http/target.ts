/** What a request asks for (RFC 9112 §3.2). */

/** Scheme and authority of the absolute form, which servers have to take as they take a bare path (§3.2.2). */
const ORIGIN = /^https?:\/\/[^/?]*/i;

export const COMET_PATH = '/comet/';

/** @param folder with a slash at its end */
export const isUnder = (target: string, folder: string): boolean =>
  (target.startsWith('/') ? target : pathOf(target)).startsWith(folder);

/** The path of a request's target, without the query; `*` for the whole server. */
export function pathOf(target: string): string {
  const local = target.startsWith('/') ? target : target.replace(ORIGIN, '');
  const query = local.indexOf('?');
  const path = query < 0 ? local : local.slice(0, query);
  return path === '' ? '/' : path;
}
