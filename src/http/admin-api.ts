/**
 * What operators may have done at the admin port, and whose sessions they may see: with the token alone.
 *
 *   GET   /api/token                          whether the token is right
 *   GET   /api/sessions?search=&after=&limit= sessions whose user or address begins so, page by page
 *   POST  /api/close     {"node", "id"}       ends one
 *   POST  /api/drain, /api/resume             as `megaphone drain` and `megaphone resume`
 */

import type { Logger } from 'pino';
import { MegaphoneError } from '../errors.js';
import type { AdminDesk } from './admin-desk.js';
import type { AdminGuard } from './admin-guard.js';
import { json, problem } from './admin-response.js';
import type { RequestParser } from './request-parser.js';
import type { Response } from './response.js';

const PREFIX = '/api/';
/** Questions to ejabberd at a time: each is bounded, and so is what they take together. */
const MAX_ASKING = 4;
const MAX_LIMIT = 200;
const LIMIT = 50;
const MAX_SEARCH = 255;

/** What is done once the token was seen. */
type Action = (request: RequestParser) => Promise<Response>;

export class AdminApi {
  readonly #guard: AdminGuard;
  readonly #desk: AdminDesk;
  readonly #log: Logger;
  #asking = 0;
  readonly #actions: ReadonlyMap<string, Action> = new Map<string, Action>([
    ['GET token', async () => json(200, { valid: true })],
    ['GET sessions', (request) => this.#asked(() => this.#sessions(request))],
    ['POST close', (request) => this.#asked(() => this.#close(request))],
    ['POST drain', () => this.#order('drain')],
    ['POST resume', () => this.#order('resume')],
  ]);

  constructor(guard: AdminGuard, desk: AdminDesk, log: Logger) {
    this.#guard = guard;
    this.#desk = desk;
    this.#log = log;
  }

  /** `undefined`: it is not about this. @param address of who sends it */
  answer(request: RequestParser, address: string): Promise<Response> | Response | undefined {
    const { method, path } = request;
    if (!path.startsWith(PREFIX)) return undefined;
    if (!this.#guard.isOperator(request)) return this.#guard.refuse(request, address);
    const name = path.slice(PREFIX.length);
    const action = this.#actions.get(`${method} ${name}`);
    if (action !== undefined) return action(request);
    const other = ['GET', 'POST'].find((one) => this.#actions.has(`${one} ${name}`));
    if (other === undefined) return problem(404, 'There is no such thing to ask for.');
    return json(405, { error: `Only ${other}.` }, ['allow', other]);
  }

  async #order(order: 'drain' | 'resume'): Promise<Response> {
    this.#log.info(`${order}, asked for at the admin port`);
    return json(200, { state: await this.#desk.order(order) });
  }

  async #asked(ask: () => Promise<Response>): Promise<Response> {
    if (this.#asking >= MAX_ASKING) return problem(429, 'Others are asking just now; ask again in a moment.');
    this.#asking += 1;
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof MegaphoneError)) throw error;
      return problem(502, error.message, error.hint);
    } finally {
      this.#asking -= 1;
    }
  }

  async #sessions(request: RequestParser): Promise<Response> {
    const query = new URLSearchParams(request.query);
    const limit = Number(query.get('limit') ?? LIMIT);
    const search = query.get('search') ?? '';
    if (!Number.isInteger(limit) || limit < 1 || limit > MAX_LIMIT)
      return problem(400, `limit is a whole number from 1 to ${MAX_LIMIT}.`);
    if (search.length > MAX_SEARCH) return problem(400, `search has at most ${MAX_SEARCH} characters.`);
    return json(200, await this.#desk.sessions({ search, after: query.get('after') ?? '', limit }));
  }

  async #close(request: RequestParser): Promise<Response> {
    const { node, id } = membersOf(request.body);
    if (typeof node !== 'string' || typeof id !== 'string')
      return problem(400, 'Which session? {"node": "…", "id": "…"}, as /api/sessions names it.');
    if (!(await this.#desk.closeSession(node, id)))
      return problem(404, 'There is no such session (any more).');
    this.#log.info({ node, id }, 'a session was closed, asked for at the admin port');
    return json(200, { closed: true });
  }
}

function membersOf(body: Buffer): { readonly node?: unknown; readonly id?: unknown } {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
