/**
 * Who may act at the admin port: whoever shows the token, which no browser sends by itself. So no page of another site can act for whoever
 * has it, and none is asked to try.
 */

import type { Logger } from 'pino';
import { MegaphoneError } from '../errors.js';
import { LimitedLog } from '../observe/limited-log.js';
import { json, problem } from './admin-response.js';
import { AdminToken } from './admin-token.js';
import type { RequestParser } from './request-parser.js';
import type { Response } from './response.js';

const TOKEN_HINT = "send the token in admin_token_file's first line: Authorization: Bearer TOKEN";
const NO_TOKEN_HINT =
  'name a file with a token as admin_token_file: (umask 077; openssl rand -hex 32 > FILE)';
const LOST_TOKEN_HINT =
  "admin_token_file cannot be used, the gateway's log says why: mend it, and send SIGHUP";

export class AdminGuard {
  readonly #file: string;
  readonly #log: Logger;
  readonly #limited: LimitedLog;
  /** `undefined`: nothing acts. There is none, or it could not be read when it was to be read again. */
  #token: AdminToken | undefined;

  /** @param file with the token; empty: there is none @throws MegaphoneError CONFIG_TOKEN_… */
  constructor(file: string, log: Logger) {
    this.#file = file;
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

  /** Whether it has the token, or what a library of GRIP makes of it. */
  isPublisher(request: RequestParser): boolean {
    return this.#token?.isKeyOf(request.header('authorization'), Date.now() / 1000) ?? false;
  }

  /** Whether it has the token itself. */
  isOperator(request: RequestParser): boolean {
    return this.#token?.isIn(request.header('authorization')) ?? false;
  }

  /** The answer to who may not. @param address of who sends it */
  refuse(request: RequestParser, address: string): Response {
    if (this.#token === undefined)
      return problem(
        403,
        'Nobody may act here: there is no token.',
        this.#file === '' ? NO_TOKEN_HINT : LOST_TOKEN_HINT,
      );
    this.#tell(request, address);
    return json(401, { error: 'That is not the token.', hint: TOKEN_HINT }, ['www-authenticate', 'Bearer']);
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
}
