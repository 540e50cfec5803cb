/**
 * What may be sent to a ConnId or to the name `megaphone` as the answer to an exchange:
 *
 *   {ConnId, Body}    {ConnId, Status, Body}    {ConnId, Status, Headers, Body}
 *   Body              {Status, Body}            sent to the ConnId itself, by hand from a shell
 *
 * Body is iodata, Status an integer of 200–599, Headers a list of `{Name, Value}` in iodata,
 * e.g. `[{<<"content-type">>, <<"text/xml">>}]`.
 */

import { Pid, type Term, Tuple } from '../etf/terms.js';
import { iodataToBuffer } from './iodata.js';

export type Header = readonly [name: string, value: string];

export interface Answer<ConnId = Pid | undefined> {
  /** `undefined` where the term names none: then it is the pid the term was sent to. */
  readonly connId: ConnId;
  readonly status: number;
  readonly headers: readonly Header[];
  readonly body: Buffer;
}

const NO_HEADERS: readonly Header[] = [];

/** `undefined` for a term that is none of the forms above. */
export function readAnswer(term: Term): Answer | undefined {
  if (!(term instanceof Tuple)) return build(undefined, 200, NO_HEADERS, term);
  const [first, second, third, fourth] = term.elements;
  switch (term.elements.length) {
    case 2:
      if (first instanceof Pid) return build(first, 200, NO_HEADERS, second);
      return build(undefined, first, NO_HEADERS, second);
    case 3:
      return first instanceof Pid ? build(first, second, NO_HEADERS, third) : undefined;
    case 4:
      return first instanceof Pid ? build(first, second, readHeaders(third), fourth) : undefined;
    default:
      return undefined;
  }
}

function build(
  connId: Pid | undefined,
  status: Term | undefined,
  headers: readonly Header[] | undefined,
  body: Term | undefined,
): Answer | undefined {
  if (typeof status !== 'number' || status < 200 || status > 599) return undefined;
  if (headers === undefined || body === undefined) return undefined;
  const bytes = iodataToBuffer(body);
  return bytes && { connId, status, headers, body: bytes };
}

function readHeaders(term: Term | undefined): readonly Header[] | undefined {
  if (!Array.isArray(term)) return undefined;
  const headers: Header[] = [];
  for (const item of term as readonly Term[]) {
    if (!(item instanceof Tuple) || item.elements.length !== 2) return undefined;
    const name = iodataToBuffer(item.elements[0] ?? item);
    const value = iodataToBuffer(item.elements[1] ?? item);
    if (name === undefined || value === undefined) return undefined;
    headers.push([name.toString('latin1'), value.toString('latin1')]);
  }
  return headers;
}
