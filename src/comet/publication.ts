/** A publication, as it is told in Erlang: `{Id | [Id], Body}`, or with a map as third. */

import { type Term, Tuple } from '../etf/terms.js';
import { idOfTerm } from './ids.js';
import { readContent, textBytes } from './message.js';
import type { Publication } from './ports.js';

const NO_META = {};

/** `undefined` for what is none. */
export function readPublication(term: Term): Publication | undefined {
  if (!(term instanceof Tuple)) return undefined;
  const [to, text, meta] = term.elements;
  const { length } = term.elements;
  if (length !== 2 && !(length === 3 && meta instanceof Map)) return undefined;
  const list: readonly (Term | undefined)[] = Array.isArray(to) ? (to as readonly Term[]) : [to];
  const ids = list.map(idOfTerm);
  const body = textBytes(text);
  if (body === undefined || ids.length === 0 || ids.includes(undefined)) return undefined;
  return { ids: ids as readonly string[], body, meta: readContent(body, meta).meta ?? NO_META };
}
