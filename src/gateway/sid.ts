/**
 * The session id tells which ejabberd node has the session: `<tag>.<random>`, where the tag is made of the node's
 * name. So a gateway, also one just started, finds the node of any session without a table.
 *
 * The body is not parsed here: `peekSid` walks over the attributes of its first tag and reads `sid`. What it does
 * not understand counts as a body without sid; the module, which parses, refuses it with the right condition.
 */

import { createHash } from 'node:crypto';

export const TAG_LENGTH = 6;

/** How far into a body the sid is looked for: a start tag's few attributes are far shorter. */
const PEEK_LIMIT = 4096;
const MAX_SID = 128;

/** The first 6 characters of the base64url SHA-256 of the node's full name. */
export function tagOf(node: string): string {
  return createHash('sha256').update(node).digest('base64url').slice(0, TAG_LENGTH);
}

/** The tag of a sid, or `undefined` where it does not have the form `<tag>.<random>`. */
export function tagOfSid(sid: string): string | undefined {
  return sid.charCodeAt(TAG_LENGTH) === 0x2e ? sid.slice(0, TAG_LENGTH) : undefined;
}

const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const SLASH = 0x2f;
const LESS_THAN = 0x3c;
const EQUALS = 0x3d;
const GREATER_THAN = 0x3e;
const QUESTION_MARK = 0x3f;

/** The value of the attribute `sid` in the body's first tag; `undefined` without one, or where the tag is odd. */
export function peekSid(body: Buffer): string | undefined {
  const end = Math.min(body.length, PEEK_LIMIT);
  let at = skipProlog(body, end);
  if (body[at] !== LESS_THAN) return undefined;
  at = skipName(body, at + 1, end);
  for (;;) {
    const name = skipSpace(body, at, end);
    // XML 1.0 §3.1: attributes are separated by white space; `/` or `>` ends the tag.
    if (name === at || name >= end) return undefined;
    const nameEnd = skipName(body, name, end);
    if (nameEnd === name) return undefined;
    at = skipSpace(body, nameEnd, end);
    if (body[at] !== EQUALS) return undefined;
    at = skipSpace(body, at + 1, end);
    const quote = body[at];
    if (quote !== QUOTE && quote !== APOSTROPHE) return undefined;
    const value = at + 1;
    const valueEnd = body.indexOf(quote, value);
    if (valueEnd < 0 || valueEnd >= end) return undefined;
    if (isSid(body, name, nameEnd)) return readValue(body, value, valueEnd);
    at = valueEnd + 1;
  }
}

/** Past a byte order mark, white space and the XML declaration (XML 1.0 §2.8). */
function skipProlog(body: Buffer, end: number): number {
  const hasMark = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf;
  let at = skipSpace(body, hasMark ? 3 : 0, end);
  if (body[at] === LESS_THAN && body[at + 1] === QUESTION_MARK) {
    const close = body.indexOf('?>', at, 'latin1');
    at = close < 0 ? end : skipSpace(body, close + 2, end);
  }
  return at;
}

function skipSpace(body: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && isSpace(body[at])) at += 1;
  return at;
}

function skipName(body: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && isNameByte(body[at])) at += 1;
  return at;
}

function isSpace(byte: number | undefined): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isNameByte(byte: number | undefined): boolean {
  return (
    !isSpace(byte) &&
    byte !== EQUALS &&
    byte !== SLASH &&
    byte !== LESS_THAN &&
    byte !== GREATER_THAN &&
    byte !== QUOTE &&
    byte !== APOSTROPHE
  );
}

function isSid(body: Buffer, from: number, to: number): boolean {
  return to - from === 3 && body[from] === 0x73 && body[from + 1] === 0x69 && body[from + 2] === 0x64;
}

/** Our sids are plain ASCII, so an entity, or anything else that would need a parser, makes the value odd. */
function readValue(body: Buffer, from: number, to: number): string | undefined {
  if (to - from > MAX_SID) return undefined;
  const sid = body.toString('latin1', from, to);
  return /^[!-~]*$/.test(sid) && !/[&<]/.test(sid) ? sid : undefined;
}
