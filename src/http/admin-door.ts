/**
 * Who is let in at the admin port, and where to: under a name of ours alone, and to what tells of this moment, or acts, from no page of
 * another site (a browser says which one it acts for).
 */

import type { Config } from '../config/schema.js';
import type { Reports } from '../observe/report.js';
import type { AdminApi } from './admin-api.js';
import { AdminFiles } from './admin-files.js';
import { AdminHosts } from './admin-hosts.js';
import { AdminPages } from './admin-pages.js';
import type { AdminPublish } from './admin-publish.js';
import { json, plain } from './admin-response.js';
import type { RequestParser } from './request-parser.js';
import type { Response } from './response.js';

export type AdminConfig = Pick<
  Config,
  'node' | 'admin_ip' | 'admin_port' | 'admin_hosts' | 'admin_token_file'
>;

export class AdminDoor {
  readonly #hosts: AdminHosts;
  readonly #pages: AdminPages;
  readonly #api: AdminApi;
  readonly #publish: AdminPublish;
  readonly #files = new AdminFiles();

  /** @param now milliseconds, never running backwards */
  constructor(
    config: AdminConfig,
    reports: Reports,
    api: AdminApi,
    publish: AdminPublish,
    now: () => number,
  ) {
    this.#api = api;
    this.#publish = publish;
    this.#hosts = new AdminHosts(config);
    this.#pages = new AdminPages(reports, now);
  }

  /**
   * @param request whose head was read, or that cannot be; @param address of who sends it
   * @returns `feed`: the answer has no end
   */
  answer(request: RequestParser, address: string): Response | Promise<Response> | 'feed' {
    if (request.status !== 0) return plain(request.status, 'That was no request.');
    const { method, path } = request;
    const host = request.header('host');
    // RFC 9110 §15.5.20. A request of HTTP/1.0 may have none: no browser sends it.
    if (host !== undefined && !this.#hosts.has(host)) {
      return plain(421, 'This is not my name. If it should be, put it into admin_hosts.');
    }
    const isPublication = this.#publish.isAbout(request);
    const isOfMoment = path === '/events' || path.startsWith('/api/') || isPublication;
    if (isOfMoment && isForeign(request))
      return json(403, { error: 'That is not for pages of other sites.' });
    if (isPublication) return this.#publish.answer(request, address);
    const done = this.#api.answer(request, address);
    if (done !== undefined) return done;
    if (method !== 'GET' && method !== 'HEAD')
      return plain(405, 'Only GET and HEAD.', ['allow', 'GET, HEAD']);
    if (path === '/events') return method === 'GET' ? 'feed' : plain(405, 'Only GET.', ['allow', 'GET']);
    return (
      this.#pages.read(path) ??
      this.#files.answer(request) ??
      plain(404, 'Here are /dashboard/, /health/ready, /health/live, /metrics and /publish.')
    );
  }
}

/** A page of another site had a browser send it (Fetch Metadata, and for what acts RFC 6454 §7). */
function isForeign(request: RequestParser): boolean {
  const site = request.header('sec-fetch-site') ?? 'none';
  const origin = request.header('origin');
  const isOwn = origin === undefined || origin.replace(/^https?:\/\//, '') === request.header('host');
  return !isOwn || (site !== 'same-origin' && site !== 'none');
}
