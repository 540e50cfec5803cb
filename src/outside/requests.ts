/**
 * What processes of Erlang, and the commands `megaphone publish` and `megaphone cat`, call `megaphone` with:
 *
 *   {publish, Id | [Id], Body}, {publish, Id | [Id], Body, Meta}      ok | {error, Code}
 *   {lines, [Line]}                                                  one ok | {error, Text} for each, in their order
 */

import { idOfTerm } from '../comet/ids.js';
import { readContent, textBytes } from '../comet/message.js';
import type { CometDesk, Publication } from '../comet/ports.js';
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
    const [word, first, second, third] = request instanceof Tuple ? request.elements : [];
    const length = request instanceof Tuple ? request.elements.length : 0;
    const name = word instanceof Atom ? word.name : '';
    if (name === 'publish' && (length === 3 || length === 4)) return this.#publish(first, second, third);
    if (name === 'lines' && length === 2) return this.#lines(first);
    return undefined;
  }

  async #publish(ids: Term | undefined, body: Term | undefined, meta: Term | undefined): Promise<Term> {
    const publication = publicationOf(ids, body, meta);
    if (publication === undefined) return error('OUTSIDE_BAD_PUBLICATION');
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

function publicationOf(
  to: Term | undefined,
  text: Term | undefined,
  map: Term | undefined,
): Publication | undefined {
  const terms = Array.isArray(to) ? (to as readonly Term[]) : [to];
  const ids = terms.flatMap((term) => idOfTerm(term) ?? []);
  const body = textBytes(text);
  const isWhole = ids.length === terms.length && ids.length > 0 && ids.length <= MAX_IDS;
  if (!isWhole || body === undefined || !(map === undefined || map instanceof Map)) return undefined;
  const { meta = {}, isVoid } = readContent(body, map);
  return isVoid ? undefined : { ids, body, meta };
}

const error = (code: string): Term => tuple(atom('error'), atom(code));
