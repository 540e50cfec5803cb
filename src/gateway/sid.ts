/**
 * The session id tells which ejabberd node has the session: `<tag>.<random>`, where the tag is made of the node's
 * name. So a gateway, also one just started, finds the node of any session without a table.
 *
 * The body is not parsed here: `peekSid` walks over the attributes of its first tag and reads `sid`. What it does
 * not understand counts as a body without sid; the module, which parses, refuses it with the right condition. The
 * module reads sids likewise (megaphone_peek.erl); test/vectors/first-tags.jsonl holds for both.
 */

import { createHash } from 'node:crypto';

export const TAG_LENGTH = 6;

/** How far into a body the sid is looked for: a start tag's few attributes are far shorter. */
const PEEK_LIMIT = 4096;
/** White space in front of the tag, and again behind an XML declaration. */
const MAX_SPACE = 64;
const MAX_SID = 128;
const MAX_RID = 32;
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

const QUOTE = 0x22;
const APOSTROPHE = 0x27;
const SLASH = 0x2f;
const LESS_THAN = 0x3c;
const EQUALS = 0x3d;
const GREATER_THAN = 0x3e;
const QUESTION_MARK = 0x3f;

/** The value of the attribute `sid` in the body's first tag; `undefined` without one, or where the tag is odd. */
export function peekSid(body: Buffer): string | undefined {
  const sid = peek(body, SID, MAX_SID);
  // Our sids are plain ASCII, so an entity, or anything else that would need a parser, makes the value odd.
  return sid !== undefined && /^[!-~]*$/.test(sid) && !/[&<]/.test(sid) ? sid : undefined;
}

/** Likewise of `rid`; 0 for what is none (XEP-0124 §14.1). */
export function peekRid(body: Buffer): number {
  const rid = peek(body, RID, MAX_RID);
  const number = rid !== undefined && /^[0-9]+$/.test(rid) ? Number(rid) : 0;
  return Number.isSafeInteger(number) ? number : 0;
}

/** The bytes of an attribute's value as characters; `undefined` for more than `max` of them. */
function peek(body: Buffer, attribute: Buffer, max: number): string | undefined {
  // No search of what is below can run further.
  const head = body.length > PEEK_LIMIT ? body.subarray(0, PEEK_LIMIT) : body;
  const end = head.length;
  let at = skipProlog(head, end);
  if (head[at] !== LESS_THAN) return undefined;
  const element = at + 1;
  at = skipName(head, element, end);
  if (at === element) return undefined;
  for (;;) {
    const name = skipSpace(head, at, end);
    // XML 1.0 §3.1: attributes are separated by white space; `/` or `>` ends the tag.
    if (name === at) return undefined;
    const nameEnd = skipName(head, name, end);
    if (nameEnd === name) return undefined;
    at = skipSpace(head, nameEnd, end);
    if (head[at] !== EQUALS) return undefined;
    at = skipSpace(head, at + 1, end);
    const quote = head[at];
    if (quote !== QUOTE && quote !== APOSTROPHE) return undefined;
    const value = at + 1;
    const valueEnd = head.indexOf(quote, value);
    if (valueEnd < 0) return undefined;
    if (is(attribute, head, name, nameEnd)) {
      return valueEnd - value > max ? undefined : head.toString('latin1', value, valueEnd);
    }
    at = valueEnd + 1;
  }
}

/** Past a byte order mark, white space and the XML declaration (XML 1.0 §2.8). */
function skipProlog(head: Buffer, end: number): number {
  const hasMark = head[0] === 0xef && head[1] === 0xbb && head[2] === 0xbf;
  const at = skipSpaceInFront(head, hasMark ? 3 : 0);
  if (head[at] !== LESS_THAN || head[at + 1] !== QUESTION_MARK) return at;
  const close = head.indexOf('?>', at, 'latin1');
  return close < 0 || head.toString('latin1', at, at + 5) !== '<?xml'
    ? end
    : skipSpaceInFront(head, close + 2);
}

function skipSpaceInFront(head: Buffer, from: number): number {
  return skipSpace(head, from, Math.min(from + MAX_SPACE, head.length));
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

/** Attributes that are looked for have three letters. */
function is(attribute: Buffer, head: Buffer, from: number, to: number): boolean {
  return (
    to - from === 3 &&
    head[from] === attribute[0] &&
    head[from + 1] === attribute[1] &&
    head[from + 2] === attribute[2]
  );
}
