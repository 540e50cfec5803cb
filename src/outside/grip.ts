/**
 * What is published over HTTP, in the JSON of GRIP's publish endpoint, as Pushpin takes it:
 *
 *   {"items": [{"channel": ID, "id": …, "prev-id": …, "formats": {"http-stream": {"content": …}, "ws-message": …, "http-response": …}}]}
 *
 * Older libraries leave `formats` out, and name the formats in the item. What is there besides is Pushpin's own and passed over:
 * but for what would have done something else than send a text, which is refused, so that nobody takes it for done.
 */

import { MAX_ID_BYTES } from '../comet/ids.js';
import { isEvents } from '../comet/message.js';
import type { Publication } from '../comet/ports.js';
import { MegaphoneError } from '../errors.js';

/** In one request. */
export const MAX_ITEMS = 1000;

/** By what the text of each is called; one for whoever has no format of his own comes first. */
const FORMATS = { 'ws-message': 'content', 'http-response': 'body', 'http-stream': 'content' } as const;
type Format = keyof typeof FORMATS;
type Members = Readonly<Record<string, unknown>>;

const utf8 = new TextDecoder('utf-8', { fatal: true });

/** All items, or none: @throws MegaphoneError OUTSIDE_BAD_PUBLICATION, OUTSIDE_NOT_SUPPORTED, OUTSIDE_TOO_MANY */
export function readPublications(body: Buffer): Publication[] {
  const { items } = membersOf(parse(body), 'the body');
  if (!Array.isArray(items)) throw bad('items is no list');
  if (items.length > MAX_ITEMS) {
    throw new MegaphoneError(
      'OUTSIDE_TOO_MANY',
      `${items.length} items are more than the ${MAX_ITEMS} of a request`,
      {
        hint: 'send them in several requests, one after the other: their order holds',
      },
    );
  }
  return items.map((item: unknown, index) => publicationOf(item, `items[${index}]`));
}

function publicationOf(value: unknown, where: string): Publication {
  const item = membersOf(value, where);
  const channel = textIn(item, 'channel', where);
  if (channel === undefined) throw bad(`${where} has no channel`);
  const length = Buffer.byteLength(channel);
  if (length < 1 || length > MAX_ID_BYTES)
    throw bad(`${where}.channel has ${length} bytes, an id has 1 to ${MAX_ID_BYTES}`);
  const texts = textsOf(item, where);
  const [[only, first] = [], ...others] = texts;
  if (only === undefined || first === undefined)
    throw bad(`${where} has none of ${Object.keys(FORMATS).join(', ')}`);
  const id = textIn(item, 'id', where);
  const prev_id = textIn(item, 'prev-id', where);
  const isPlain = others.length === 0 && !isEvent(only, first);
  return {
    ids: [channel],
    body: Buffer.from(first),
    meta: {
      ...(id === undefined ? {} : { id }),
      ...(prev_id === undefined ? {} : { prev_id }),
      ...(isPlain ? {} : { formats: Object.fromEntries(texts) }),
    },
  };
}

/** A text that is an event of server-sent events already: only as this format it is written as it is. */
const isEvent = (format: Format, text: string): boolean => format === 'http-stream' && isEvents(text);

function textsOf(item: Members, where: string): [Format, string][] {
  const formats = item.formats === undefined ? item : membersOf(item.formats, `${where}.formats`);
  return (Object.keys(FORMATS) as Format[]).flatMap((format): [Format, string][] => {
    const value = formats[format];
    return value === undefined
      ? []
      : [[format, textOf(membersOf(value, `${where}.${format}`), format, where)]];
  });
}

function textOf(members: Members, format: Format, where: string): string {
  const key = FORMATS[format];
  const action = textIn(members, 'action', `${where}.${format}`) ?? 'send';
  if (action !== 'send') throw unsupported(`${where}.${format}: the action ${action}`);
  const type = textIn(members, 'type', `${where}.${format}`) ?? 'text';
  if (format === 'ws-message' && type !== 'text' && type !== 'binary')
    throw unsupported(`${where}.${format}: the type ${type}`);
  if (`${key}-patch` in members) throw unsupported(`${where}.${format}: ${key}-patch`);
  const encoded = textIn(members, `${key}-bin`, `${where}.${format}`);
  if (encoded !== undefined) return decoded(encoded, `${where}.${format}.${key}-bin`);
  const text = textIn(members, key, `${where}.${format}`);
  if (text === undefined) throw bad(`${where}.${format} has neither ${key} nor ${key}-bin`);
  return text;
}

/** Base64 of a text: pages get texts alone. */
function decoded(encoded: string, where: string): string {
  if (!/^[\w+/-]*={0,2}$/.test(encoded)) throw bad(`${where} is no base64`);
  try {
    return utf8.decode(Buffer.from(encoded, 'base64'));
  } catch {
    throw unsupported(`${where}: bytes that are no UTF-8`);
  }
}

function parse(body: Buffer): unknown {
  try {
    return JSON.parse(utf8.decode(body));
  } catch (cause) {
    throw bad(`the body is no JSON in UTF-8: ${(cause as Error).message}`);
  }
}

function membersOf(value: unknown, where: string): Members {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw bad(`${where} is no object`);
  return value as Members;
}

/** `undefined`: there is none. */
function textIn(members: Members, key: string, where: string): string | undefined {
  const value = Object.hasOwn(members, key) ? members[key] : undefined;
  if (value === undefined || value === null) return undefined;
  if (typeof value !== 'string') throw bad(`${where}.${key} is no string`);
  return value;
}

const bad = (message: string): MegaphoneError =>
  new MegaphoneError('OUTSIDE_BAD_PUBLICATION', message, {
    hint: '{"items": [{"channel": "123", "formats": {"http-stream": {"content": "Hello"}}}]}',
  });

const unsupported = (what: string): MegaphoneError =>
  new MegaphoneError('OUTSIDE_NOT_SUPPORTED', `${what} is not supported`, {
    hint: 'pages get texts: content or body, and nothing else is done to their connections',
  });
