/** What a message says: its text, and what its sender gave along. */

import { isUtf8 } from 'node:buffer';
import { Atom, atom, binary, ImproperList, type Term } from '../etf/terms.js';
import type { PublicationMeta } from './ports.js';

export interface Content {
  /** Maybe a view of far more bytes that were received. */
  readonly body: Buffer;
  readonly meta: PublicationMeta | undefined;
  /** About as many bytes as all of it takes, for whoever keeps it within bounds. */
  readonly size: number;
  /** Its sender broke the rules: it has its number, and nobody gets it. */
  readonly isVoid: boolean;
}

/** Of an origin, for one id. */
export interface Message {
  readonly number: number;
  readonly content: Content;
}

/** The same, where it is kept for a while: a small part would keep all that was received, or a slab of Buffer's pool. */
export function alone(content: Content): Content {
  const { body } = content;
  if (body.buffer.byteLength <= 2 * body.length) return content;
  const copy = Buffer.allocUnsafeSlow(body.length);
  copy.set(body);
  return { ...content, body: copy };
}

/** A line of its own, or an event that is the gateway's. */
const BAD_EVENT = /[\r\n]|^(?:gap|place)$/;

/** @param meta a map of Erlang, which pages get what they know of */
export function readContent(body: Buffer, meta: Term | undefined): Content {
  const read = meta instanceof Map && meta.size > 0 ? readMeta(meta) : undefined;
  return contentOf(body, read);
}

export function contentOf(body: Buffer, meta: PublicationMeta | undefined): Content {
  const isVoid = meta?.event !== undefined && BAD_EVENT.test(meta.event);
  return { body, meta, size: body.length + (meta === undefined ? 0 : sizeOfMeta(meta)), isVoid };
}

/** Of an object, or an entry of one. */
const ENTRY = 64;

/** A character takes at most two bytes. */
function sizeOfMeta({ event = '', id = '', prev_id = '', formats }: PublicationMeta): number {
  let size = ENTRY + 2 * (event.length + id.length + prev_id.length);
  for (const name in formats) size += ENTRY + 2 * (name.length + (formats[name]?.length ?? 0));
  return size;
}

/** Of GRIP's `http-stream`: its publisher wrote events of server-sent events himself, for a line of it is `data:` (WHATWG HTML §9.2.6). */
export const isEvents = (text: string): boolean => /(?:^|[\r\n])data:/.test(text);

function readMeta(map: ReadonlyMap<Term, Term>): PublicationMeta | undefined {
  const meta: { -readonly [Key in keyof PublicationMeta]: PublicationMeta[Key] } = {};
  let isEmpty = true;
  for (const [key, value] of map) {
    const name = textOf(key);
    if (name === 'event' || name === 'id' || name === 'prev_id') {
      const text = textOf(value);
      if (text === undefined) continue;
      meta[name] = text;
    } else if (name === 'formats' && value instanceof Map) {
      meta.formats = readFormats(value);
    } else continue;
    isEmpty = false;
  }
  return isEmpty ? undefined : meta;
}

function readFormats(map: ReadonlyMap<Term, Term>): Record<string, string> {
  const formats: Record<string, string> = {};
  for (const [key, value] of map) {
    const name = textOf(key);
    const text = textOf(value);
    if (name !== undefined && text !== undefined) formats[name] = text;
  }
  return formats;
}

/** Of an atom, a number or a binary. */
function textOf(term: Term): string | undefined {
  if (term instanceof Atom) return term.name;
  if (term instanceof Uint8Array) return isUtf8(term) ? Buffer.from(term).toString() : undefined;
  return typeof term === 'number' || typeof term === 'bigint' ? String(term) : undefined;
}

/** What processes of Erlang get: the keys are atoms. */
export function termOfMeta({ event, id, prev_id, formats }: PublicationMeta): Term {
  const map = new Map<Term, Term>();
  if (event !== undefined) map.set(atom('event'), binary(event));
  if (id !== undefined) map.set(atom('id'), binary(id));
  if (prev_id !== undefined) map.set(atom('prev_id'), binary(prev_id));
  if (formats !== undefined) {
    const texts = Object.entries(formats).map(([name, text]) => [binary(name), binary(text)] as const);
    map.set(atom('formats'), new Map<Term, Term>(texts));
  }
  return map;
}

/** As `unicode:characters_to_binary/1`, which routers read messages with: numbers are characters. `undefined`: no text. */
export function textBytes(term: Term | undefined): Buffer | undefined {
  if (term instanceof Uint8Array) return Buffer.from(term.buffer, term.byteOffset, term.length);
  if (!Array.isArray(term) && !(term instanceof ImproperList)) return undefined;
  const pieces: (Uint8Array | string)[] = [];
  const rest: Term[] = [term];
  for (let item = rest.pop(); item !== undefined; item = rest.pop()) {
    if (typeof item === 'number') {
      if (!isCharacter(item)) return undefined;
      pieces.push(String.fromCodePoint(item));
    } else if (item instanceof Uint8Array) pieces.push(item);
    else if (item instanceof ImproperList) {
      if (!(item.tail instanceof Uint8Array)) return undefined;
      rest.push(item.tail);
      pushReversed(rest, item.items);
    } else if (Array.isArray(item)) pushReversed(rest, item as readonly Term[]);
    else return undefined;
  }
  return Buffer.concat(pieces.map((piece) => (typeof piece === 'string' ? Buffer.from(piece) : piece)));
}

const isCharacter = (code: number): boolean =>
  Number.isInteger(code) && code >= 0 && code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);

function pushReversed(stack: Term[], items: readonly Term[]): void {
  for (let at = items.length - 1; at >= 0; at -= 1) stack.push(items[at] as Term);
}
