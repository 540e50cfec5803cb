/** The header lines of an answer that say which pages may read it: for each path its own rules. */

import { Cors } from './cors.js';
import type { Front } from './front.js';
import { HOST_META_PATHS } from './host-meta.js';
import type { RequestParser } from './request-parser.js';
import { COMET_PATH } from './target.js';

const ANYBODY = new Cors(['*']);

/** Of where the endpoints are, all (XEP-0156 §6). */
export function corsLines(request: RequestParser, { cors, comet }: Front): string {
  const { path } = request;
  if (comet !== undefined && path.startsWith(COMET_PATH)) return comet.origins.linesFor(request);
  const rules = HOST_META_PATHS.includes(path) ? ANYBODY : cors;
  return rules.linesFor(request.method, request.header('origin'));
}
