/**
 * What is sent to `any`, as values. Routers' terms are those of the contract (docs/comet.md); `{Id, Body}` and `{Id, Body, Meta}` are
 * anybody's: none of the one is one of the other.
 */

import { Atom, type Term, Tuple } from '../etf/terms.js';
import { idOfTerm } from './ids.js';
import { type Content, type Message, readContent, textBytes } from './message.js';

export type Word =
  | {
      readonly kind: 'welcome';
      readonly origin: string;
      readonly life: number;
      readonly nodes: readonly string[];
    }
  | { readonly kind: 'nodes'; readonly origin: string; readonly nodes: readonly string[] }
  | { readonly kind: 'at'; readonly origin: string; readonly pairs: readonly Pair[] }
  | {
      readonly kind: 'message';
      readonly origin: string;
      readonly pairs: readonly Pair[];
      readonly content: Content;
    }
  | {
      readonly kind: 'replay';
      readonly origin: string;
      readonly ask: Term;
      readonly id: string;
      readonly messages: readonly Message[];
      readonly to: number;
      readonly isWhole: boolean;
    }
  | { readonly kind: 'anybody'; readonly id: string; readonly content: Content; readonly term: Tuple };

export interface Pair {
  readonly id: string;
  readonly number: number;
}

/** `undefined` for what fits none of them. */
export function readWord(term: Term): Word | undefined {
  if (!(term instanceof Tuple)) return undefined;
  const { elements } = term;
  return readRouter(elements) ?? readAnybody(term);
}

function readRouter(elements: readonly Term[]): Word | undefined {
  const [word, node, a, b, c, d, e] = elements;
  if (!(word instanceof Atom) || !(node instanceof Atom)) return undefined;
  const origin = node.name;
  switch (word.name) {
    case 'message': {
      const pairs = elements.length === 5 ? readPairs(a) : undefined;
      const body = b instanceof Uint8Array ? textBytes(b) : undefined;
      if (pairs === undefined || body === undefined || !(c instanceof Map)) return undefined;
      return { kind: 'message', origin, pairs, content: readContent(body, c) };
    }
    case 'at': {
      const pairs = elements.length === 3 ? readPairs(a) : undefined;
      return pairs && { kind: 'at', origin, pairs };
    }
    case 'replay': {
      const id = elements.length === 7 ? idOfTerm(b) : undefined;
      const messages = readMessages(c);
      const isWhole = e instanceof Atom ? BOOLEANS.get(e.name) : undefined;
      if (id === undefined || messages === undefined || !isNumber(d) || isWhole === undefined)
        return undefined;
      return { kind: 'replay', origin, ask: a as Term, id, messages, to: d, isWhole };
    }
    case 'welcome': {
      const nodes = elements.length === 4 ? readNodes(b) : undefined;
      return nodes && isNumber(a) ? { kind: 'welcome', origin, life: a, nodes } : undefined;
    }
    case 'nodes': {
      const nodes = elements.length === 3 ? readNodes(a) : undefined;
      return nodes && { kind: 'nodes', origin, nodes };
    }
    default:
      return undefined;
  }
}

const BOOLEANS: ReadonlyMap<string, boolean> = new Map([
  ['true', true],
  ['false', false],
]);

function readAnybody(term: Tuple): Word | undefined {
  const [to, text, meta] = term.elements;
  const { length } = term.elements;
  if (length !== 2 && !(length === 3 && meta instanceof Map)) return undefined;
  const id = idOfTerm(to);
  const body = textBytes(text);
  if (id === undefined || body === undefined) return undefined;
  return { kind: 'anybody', id, content: readContent(body, meta), term };
}

const isNumber = (term: Term | undefined): term is number =>
  Number.isSafeInteger(term) && (term as number) >= 0;

function readPairs(term: Term | undefined): readonly Pair[] | undefined {
  return readList(term, (item) => {
    if (!(item instanceof Tuple) || item.elements.length !== 2) return undefined;
    const id = idOfTerm(item.elements[0]);
    const number = item.elements[1];
    return id !== undefined && isNumber(number) ? { id, number } : undefined;
  });
}

function readMessages(term: Term | undefined): readonly Message[] | undefined {
  return readList(term, (item) => {
    if (!(item instanceof Tuple) || item.elements.length !== 3) return undefined;
    const [number, text, meta] = item.elements;
    const body = textBytes(text);
    return isNumber(number) && body !== undefined ? { number, content: readContent(body, meta) } : undefined;
  });
}

const readNodes = (term: Term | undefined): readonly string[] | undefined =>
  readList(term, (item) => (item instanceof Atom ? item.name : undefined));

function readList<T>(term: Term | undefined, read: (item: Term) => T | undefined): readonly T[] | undefined {
  if (!Array.isArray(term)) return undefined;
  const list: T[] = [];
  for (const item of term as readonly Term[]) {
    const value = read(item);
    if (value === undefined) return undefined;
    list.push(value);
  }
  return list;
}
