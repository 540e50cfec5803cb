/**
 * `POST /publish` at the admin port, with the token: the JSON of GRIP (src/outside/grip.ts), all of it published, in its order, or
 * nothing. It is answered when all was taken.
 */

import type { CometDesk } from '../comet/ports.js';
import { MegaphoneError } from '../errors.js';
import { readPublications } from '../outside/grip.js';
import { MAX_TRUSTED } from './admin-connection.js';
import type { AdminGuard } from './admin-guard.js';
import { json, plain, problem } from './admin-response.js';
import type { RequestParser } from './request-parser.js';
import type { Response } from './response.js';

/** Bodies whose publications are on their way, together. */
const MAX_UNDER_WAY = 32 * 1024 ** 2;

/** What is not about what was sent is about who could not take it. */
const STATUSES: Readonly<Record<string, number>> = {
  OUTSIDE_BAD_PUBLICATION: 400,
  OUTSIDE_NOT_SUPPORTED: 400,
  OUTSIDE_TOO_MANY: 413,
};

export class AdminPublish {
  readonly #guard: AdminGuard;
  readonly #desk: CometDesk;
  #underWay = 0;

  constructor(guard: AdminGuard, desk: CometDesk) {
    this.#guard = guard;
    this.#desk = desk;
  }

  isAbout({ path }: RequestParser): boolean {
    return path === '/publish' || path === '/publish/';
  }

  /** Whether more than others' is taken of who sends this head: a larger body, and further requests. */
  trusts(head: RequestParser): boolean {
    return this.isAbout(head) && this.#guard.isPublisher(head);
  }

  /** @param address of who sends it */
  async answer(request: RequestParser, address: string): Promise<Response> {
    if (!this.trusts(request)) return this.#guard.refuse(request, address);
    if (request.method !== 'POST') return json(405, { error: 'Only POST.' }, ['allow', 'POST']);
    if (request.isTooLarge) {
      return problem(413, `A body has at most ${MAX_TRUSTED} bytes.`, 'send its items in several requests');
    }
    const { body } = request;
    if (this.#underWay + body.length > MAX_UNDER_WAY)
      return problem(503, 'Too much is on its way.', 'routers do not take it as fast as it comes: wait');
    this.#underWay += body.length;
    try {
      await this.#desk.publish(readPublications(body));
      return plain(200, 'Published');
    } catch (error) {
      if (!(error instanceof MegaphoneError)) throw error;
      return problem(STATUSES[error.code] ?? 503, error.message, error.hint, error.code);
    } finally {
      this.#underWay -= body.length;
    }
  }
}
