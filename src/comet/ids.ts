/**
 * Ids: in the gateway an id is its text. On the wire it has the one form that routers have in their tables (megaphone_comet_id.erl):
 * an integer where the text is one of at most 18 characters without leading zeros, else a binary.
 */

import { isUtf8 } from 'node:buffer';
import { Atom, type Term } from '../etf/terms.js';

export const MAX_ID_BYTES = 255;

const INTEGER = /^(?:0|-?[1-9][0-9]*)$/;
const MAX_INTEGER_LENGTH = 18;
/** So many digits are safe in a number. */
const SAFE_LENGTH = 15;

/** Whether it may be followed, and sent to. */
export function isId(text: string): boolean {
  return text.length > 0 && (text.length <= MAX_ID_BYTES / 3 || Buffer.byteLength(text) <= MAX_ID_BYTES);
}

/** As routers have it. */
export function termOfId(id: string): Term {
  if (id.length > MAX_INTEGER_LENGTH || !INTEGER.test(id)) return Buffer.from(id);
  return id.length <= SAFE_LENGTH ? Number(id) : BigInt(id);
}

/** `undefined` for what is no id. */
export function idOfTerm(term: Term | undefined): string | undefined {
  if (typeof term === 'number') return String(term);
  if (term instanceof Uint8Array) {
    if (term.length === 0 || term.length > MAX_ID_BYTES || !isUtf8(term)) return undefined;
    return Buffer.from(term.buffer, term.byteOffset, term.length).toString();
  }
  if (typeof term === 'bigint') return checked(term.toString());
  return term instanceof Atom ? checked(term.name) : undefined;
}

const checked = (text: string): string | undefined => (isId(text) ? text : undefined);

/** Spreads ids evenly: FNV-1a over the text. */
export function hashOfId(id: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < id.length; at += 1) hash = Math.imul(hash ^ id.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}
