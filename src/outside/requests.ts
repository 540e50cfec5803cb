/**
 * What processes of Erlang, and the commands `megaphone publish` and `megaphone cat`, call `megaphone` with:
 *
 *   {publish, Id | [Id], Body}, {publish, Id | [Id], Body, Meta}      ok | {error, Code}
 *   {lines, [Line]}                                                  one ok | {error, Text} for each, in their order
 */

import { contentOf } from '../comet/message.js';
import type { CometDesk, Publication } from '../comet/ports.js';
import { readPublication } from '../comet/publication.js';
import { MegaphoneError } from '../errors.js';
import { Atom, atom, binary, type Term, Tuple, tuple } from '../etf/terms.js';
import type { Speaker } from './speaker.js';

/** In one call. */
export const MAX_LINES = 100;
const MAX_IDS = 1000;

export class Requests {
  readonly #desk: CometDesk;
  readonly #speaker: Pick<Speaker, 'say'>;

  constructor(desk: CometDesk, speaker: Pick<Speaker, 'say'>) {
    this.#desk = desk;
    this.#speaker = speaker;
  }

  /** `undefined`: it is none of these. */
  answer(request: Term): Promise<Term> | undefined {
    const [word, ...rest] = request instanceof Tuple ? request.elements : [];
    const name = word instanceof Atom ? word.name : '';
    if (name === 'publish') return this.#publish(new Tuple(rest));
    if (name === 'lines' && rest.length === 1) return this.#lines(rest[0]);
    return undefined;
  }

  async #publish(term: Term): Promise<Term> {
    const publication = readPublication(term);
    if (publication === undefined || publication.ids.length > MAX_IDS || isVoid(publication))
      return error('OUTSIDE_BAD_PUBLICATION');
    try {
      await this.#desk.publish([publication]);
      return atom('ok');
    } catch (cause) {
      if (!(cause instanceof MegaphoneError)) throw cause;
      return error(cause.code);
    }
  }

  async #lines(term: Term | undefined): Promise<Term> {
    const lines = Array.isArray(term) ? (term as readonly Term[]) : [];
    if (lines.length > MAX_LINES) return error('OUTSIDE_TOO_MANY');
    const answers: Term[] = [];
    for (const line of lines) {
      const problem = await this.#speaker.say(line instanceof Uint8Array ? Buffer.from(line).toString() : '');
      answers.push(problem === undefined ? atom('ok') : tuple(atom('error'), binary(problem)));
    }
    return answers;
  }
}

/** Nobody would get it. */
const isVoid = ({ body, meta }: Publication): boolean => contentOf(body, meta).isVoid;

const error = (code: string): Term => tuple(atom('error'), atom(code));
