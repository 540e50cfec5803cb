/**
 * The session id tells which ejabberd node has the session: `<tag>.<random>`, where the tag is made of the node's
 * name. So a gateway, also one just started, finds the node of any session without a table.
 *
 * The body is not parsed here: `peek` walks over the attributes of its first tag and reads `sid` and `rid`. What it does
 * not understand counts as a body without sid; the module, which parses, refuses it with the right condition. The
 * module reads sids likewise (megaphone_peek.erl); test/vectors/first-tags.jsonl holds for both.
 */

import { createHash } from 'node:crypto';

export const TAG_LENGTH = 6;

/** How far into a body the sid is looked for: a start tag's few attributes are far shorter. */
const PEEK_LIMIT = 4096;
const MAX_DECLARATION = 256;
/** White space in front of the tag. */
const MAX_SPACE = 64;
const MAX_SID = 128;
/** Digits. */
const MAX_RID = 16;
const SID = Buffer.from('sid');
const RID = Buffer.from('rid');

/** The first 6 characters of the base64url SHA-256 of the node's full name. */
export function tagOf(node: string): string {
  return createHash('sha256').update(node).digest('base64url').slice(0, TAG_LENGTH);
}

/** The tag of a sid, or `undefined` where it does not have the form `<tag>.<random>`. */
export function tagOfSid(sid: string): string | undefined {
  return sid.charCodeAt(TAG_LENGTH) === 0x2e ? sid.slice(0, TAG_LENGTH) : undefined;
}

const SPACE = 0x20;
const EXCLAMATION_MARK = 0x21;
const QUOTE = 0x22;
const AMPERSAND = 0x26;
const APOSTROPHE = 0x27;
const SLASH = 0x2f;
const LESS_THAN = 0x3c;
const EQUALS = 0x3d;
const GREATER_THAN = 0x3e;
const QUESTION_MARK = 0x3f;

/** What a body's first tag says of the request. */
export interface FirstTag {
  /** `undefined` without one, or where it or the tag in front of it is odd. */
  readonly sid: string | undefined;
  /** Likewise 0 (XEP-0124 §14.1). */
  readonly rid: number;
}

/** One walk for both, no further than the second of them. */
export function peek(body: Buffer): FirstTag {
  const end = Math.min(body.length, PEEK_LIMIT);
  let sid: string | undefined;
  let rid = 0;
  let hasSid = false;
  let hasRid = false;
  let at = skipProlog(body, end);
  if (at >= end || body[at] !== LESS_THAN) return NOTHING;
  const element = at + 1;
  at = skipName(body, element, end);
  const first = body[element];
  if (at === element || first === QUESTION_MARK || first === EXCLAMATION_MARK) return NOTHING;
  while (!hasSid || !hasRid) {
    const name = skipSpace(body, at, end);
    // XML 1.0 §3.1: attributes are separated by white space; `/` or `>` ends the tag.
    if (name === at) break;
    const nameEnd = skipName(body, name, end);
    if (nameEnd === name) break;
    at = skipSpace(body, nameEnd, end);
    if (at >= end || body[at] !== EQUALS) break;
    at = skipSpace(body, at + 1, end);
    const quote = body[at];
    if (at >= end || (quote !== QUOTE && quote !== APOSTROPHE)) break;
    const value = at + 1;
    at = value;
    while (at < end && body[at] !== quote) at += 1;
    if (at === end) break;
    if (!hasSid && is(SID, body, name, nameEnd)) {
      hasSid = true;
      sid = readSid(body, value, at);
    } else if (!hasRid && is(RID, body, name, nameEnd)) {
      hasRid = true;
      rid = readRid(body, value, at);
    }
    at += 1;
  }
  return { sid, rid };
}

const NOTHING: FirstTag = { sid: undefined, rid: 0 };

/** Our sids are plain ASCII, so an entity, or anything else that would need a parser, makes the value odd. */
function readSid(body: Buffer, from: number, to: number): string | undefined {
  if (to - from > MAX_SID) return undefined;
  for (let at = from; at < to; at += 1) {
    const byte = body[at] ?? 0;
    if (byte < 0x21 || byte > 0x7e || byte === LESS_THAN || byte === AMPERSAND) return undefined;
  }
  return body.toString('latin1', from, to);
}

function readRid(body: Buffer, from: number, to: number): number {
  if (to - from > MAX_RID) return 0;
  let rid = 0;
  for (let at = from; at < to; at += 1) {
    const digit = (body[at] ?? 0) - 0x30;
    if (digit < 0 || digit > 9) return 0;
    rid = rid * 10 + digit;
  }
  return Number.isSafeInteger(rid) ? rid : 0;
}

/** Past a byte order mark, the XML declaration and white space (XML 1.0 §2.8), as megaphone_prolog.erl. */
function skipProlog(body: Buffer, end: number): number {
  const hasMark = body[0] === 0xef && body[1] === 0xbb && body[2] === 0xbf;
  const start = hasMark ? 3 : 0;
  if (body[start] !== LESS_THAN || body[start + 1] !== QUESTION_MARK)
    return skipSpaceInFront(body, start, end);
  const declared = start + 5;
  if (body.toString('latin1', start, declared) !== '<?xml') return end;
  // No search of it can run further.
  const close = body.subarray(declared, declared + MAX_DECLARATION).indexOf('?>', 0, 'latin1');
  return close < 0 ? end : skipSpaceInFront(body, declared + close + 2, end);
}

function skipSpaceInFront(body: Buffer, from: number, end: number): number {
  return skipSpace(body, from, Math.min(from + MAX_SPACE, end));
}

function skipSpace(head: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && isSpace(head[at])) at += 1;
  return at;
}

function skipName(head: Buffer, from: number, end: number): number {
  let at = from;
  while (at < end && isNameByte(head[at])) at += 1;
  return at;
}

function isSpace(byte: number | undefined): boolean {
  return byte === SPACE || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

function isNameByte(byte: number | undefined): boolean {
  return (
    byte !== undefined &&
    byte > SPACE &&
    byte !== EQUALS &&
    byte !== SLASH &&
    byte !== LESS_THAN &&
    byte !== GREATER_THAN &&
    byte !== QUOTE &&
    byte !== APOSTROPHE
  );
}

/** Attributes that are looked for have three letters. */
function is(attribute: Buffer, head: Buffer, from: number, to: number): boolean {
  return (
    to - from === 3 &&
    head[from] === attribute[0] &&
    head[from + 1] === attribute[1] &&
    head[from + 2] === attribute[2]
  );
}
