/**
 * What operators may have done at the admin port, and whose sessions they may see: with the token alone, which no browser sends by
 * itself. So no page of another site can act for whoever has it, and none is asked to try.
 *
 *   GET   /api/token                          whether the token is right
 *   GET   /api/sessions?search=&after=&limit= sessions whose user or address begins so, page by page
 *   POST  /api/close     {"node", "id"}       ends one
 *   POST  /api/drain, /api/resume             as `megaphone drain` and `megaphone resume`
 */

import type { Logger } from 'pino';
import { MegaphoneError } from '../errors.js';
import { LimitedLog } from '../observe/limited-log.js';
import type { AdminDesk } from './admin-desk.js';
import { json } from './admin-response.js';
import { AdminToken } from './admin-token.js';
import type { RequestParser } from './request-parser.js';
import type { Response } from './response.js';

const PREFIX = '/api/';
/** Questions to ejabberd at a time: each is bounded, and so is what they take together. */
const MAX_ASKING = 4;
const MAX_LIMIT = 200;
const LIMIT = 50;
const MAX_SEARCH = 255;

const TOKEN_HINT = "send the token in admin_token_file's first line: Authorization: Bearer TOKEN";
const NO_TOKEN_HINT =
  'name a file with a token as admin_token_file: (umask 077; openssl rand -hex 32 > FILE)';
const LOST_TOKEN_HINT =
  "admin_token_file cannot be used, the gateway's log says why: mend it, and send SIGHUP";

/** What is done once the token was seen. */
type Action = (request: RequestParser) => Promise<Response>;

export class AdminApi {
  readonly #file: string;
  readonly #desk: AdminDesk;
  readonly #log: Logger;
  readonly #limited: LimitedLog;
  /** `undefined`: nothing acts. There is none, or it could not be read when it was to be read again. */
  #token: AdminToken | undefined;
  #asking = 0;
  readonly #actions: ReadonlyMap<string, Action> = new Map<string, Action>([
    ['GET token', async () => json(200, { valid: true })],
    ['GET sessions', (request) => this.#asked(() => this.#sessions(request))],
    ['POST close', (request) => this.#asked(() => this.#close(request))],
    ['POST drain', () => this.#order('drain')],
    ['POST resume', () => this.#order('resume')],
  ]);

  /** @param file with the token; empty: there is none @throws MegaphoneError CONFIG_TOKEN_… */
  constructor(file: string, desk: AdminDesk, log: Logger) {
    this.#file = file;
    this.#desk = desk;
    this.#log = log;
    this.#limited = new LimitedLog(log);
    this.#token = file === '' ? undefined : AdminToken.read(file);
  }

  /** Whether anybody may have something done here. */
  get isOpen(): boolean {
    return this.#token !== undefined;
  }

  /** Reads the token again. Where none can be used the old one is not valid either: to take the file away is to revoke it. */
  reload(): void {
    if (this.#file === '') return;
    try {
      this.#token = AdminToken.read(this.#file);
      this.#log.info(`the token in ${this.#file} holds from now on`);
    } catch (error) {
      this.#token = undefined;
      this.#log.error({ err: error }, `no token is valid any more: ${(error as Error).message}`);
    }
  }

  /** `undefined`: it is not about this. @param address of who sends it */
  answer(request: RequestParser, address: string): Promise<Response> | Response | undefined {
    const { method, path } = request;
    if (!path.startsWith(PREFIX)) return undefined;
    if (this.#token === undefined)
      return problem(
        403,
        'Nobody may act here: there is no token.',
        this.#file === '' ? NO_TOKEN_HINT : LOST_TOKEN_HINT,
      );
    if (!this.#token.isIn(request.header('authorization'))) {
      this.#tell(request, address);
      return json(401, { error: 'That is not the token.', hint: TOKEN_HINT }, ['www-authenticate', 'Bearer']);
    }
    const name = path.slice(PREFIX.length);
    const action = this.#actions.get(`${method} ${name}`);
    if (action !== undefined) return action(request);
    const other = ['GET', 'POST'].find((one) => this.#actions.has(`${one} ${name}`));
    if (other === undefined) return problem(404, 'There is no such thing to ask for.');
    return json(405, { error: `Only ${other}.` }, ['allow', other]);
  }

  /** Whoever has no token yet is no news. */
  #tell(request: RequestParser, address: string): void {
    if (request.header('authorization') === undefined) return;
    const text = 'a wrong token came to the admin port';
    const err = new MegaphoneError('HTTP_WRONG_TOKEN', text, {
      hint: 'who tries? If it is you: the token is the first line of admin_token_file, read at the start and with SIGHUP',
    });
    this.#limited.warn(err.code, { err, address }, text);
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

const problem = (status: number, error: string, hint?: string): Response =>
  json(status, { error, ...(hint === undefined ? {} : { hint }) });

function membersOf(body: Buffer): { readonly node?: unknown; readonly id?: unknown } {
  try {
    const value: unknown = JSON.parse(body.toString('utf8'));
    return typeof value === 'object' && value !== null ? value : {};
  } catch {
    return {};
  }
}
