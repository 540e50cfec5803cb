/** What a request for `/comet/ID[,ID…]` asks for: which ids, over which transport, from which place on, and what it shows to be let in. */

import { MAX_ID_BYTES } from '../../comet/ids.js';
import type { ClientInfo } from '../../gateway/meta.js';
import type { RequestParser } from '../request-parser.js';
import { COMET_PATH } from '../target.js';

export type Transport = 'sse' | 'stream' | 'poll' | 'websocket';

export interface Asked {
  readonly ids: readonly string[];
  readonly transport: Transport;
  /** What the last event that the page had was numbered with. */
  readonly place: string | undefined;
  readonly isHead: boolean;
  readonly isHttp11: boolean;
  /** A token in the query, or in the header. It belongs in no log. */
  readonly token: string | undefined;
  readonly query: string;
  readonly authorization: string;
  /** Empty where the page is not one whose cookies count. */
  readonly cookie: string;
  readonly from: From;
}

/** Who sent it: worked out when it is read, for the socket keeps what it was asked for. */
interface From {
  readonly client: ClientInfo;
}

interface Asking extends From {
  readonly parser: RequestParser;
}

/** @returns a line for the client where it makes no sense */
export function read(asking: Asking, maxIds: number, mayUseCookies: boolean): Asked | string {
  const { parser } = asking;
  const ids = idsIn(parser.path.slice(COMET_PATH.length), maxIds);
  if (typeof ids === 'string') return ids;
  const query = new URLSearchParams(parser.query);
  const authorization = parser.header('authorization') ?? '';
  return {
    ids,
    transport: transportOf(parser, query),
    place: parser.header('last-event-id') ?? query.get('last-event-id') ?? undefined,
    isHead: parser.method === 'HEAD',
    isHttp11: parser.isHttp11,
    token: query.get('token') ?? /^bearer +(\S+)$/i.exec(authorization)?.[1],
    query: parser.query,
    authorization,
    cookie: mayUseCookies ? (parser.header('cookie') ?? '') : '',
    from: asking,
  };
}

/** What a client asks for that is under `COMET_PATH`. */
export function transportOf(parser: RequestParser, query = new URLSearchParams(parser.query)): Transport {
  if (wantsUpgrade(parser)) return 'websocket';
  if (query.has('poll')) return 'poll';
  const accepts = parser.header('accept')?.toLowerCase().includes('text/event-stream') === true;
  return accepts || query.has('sse') ? 'sse' : 'stream';
}

const wantsUpgrade = (parser: RequestParser): boolean =>
  parser.header('sec-websocket-key') !== undefined ||
  parser.header('upgrade')?.toLowerCase().includes('websocket') === true;

/** Each once, in their order, decoded; a line for the client where they are none. @param list with commas in between: those of an id are %2C */
export function idsIn(list: string, maxIds: number): readonly string[] | string {
  const parts = list.split(',', maxIds + 1);
  if (parts.length > maxIds) return `A connection may listen to ${maxIds} ids.`;
  const ids = new Set<string>();
  for (const part of parts) {
    const id = decode(part);
    if (id === undefined) return 'An id in the path is no UTF-8 in percent-encoding.';
    const bytes = Buffer.from(id);
    if (bytes.length === 0 || bytes.length > MAX_ID_BYTES)
      return `An id has 1 to ${MAX_ID_BYTES} bytes: /comet/ID, or /comet/ID,ID`;
    // A copy: it is remembered for longer than its request, which may be long.
    ids.add(bytes.toString());
  }
  return [...ids];
}

/** @param part bytes beyond ASCII stand for themselves, as some clients send them */
function decode(part: string): string | undefined {
  try {
    return decodeURIComponent(part.replace(/[\x80-\xff]/g, (byte) => `%${byte.charCodeAt(0).toString(16)}`));
  } catch {
    return undefined;
  }
}

/** The value of that cookie (RFC 6265 §5.4). */
export function cookieIn(header: string, name: string): string | undefined {
  for (const pair of header.split(';')) {
    const at = pair.indexOf('=');
    if (at > 0 && pair.slice(0, at).trim() === name) return pair.slice(at + 1).trim();
  }
  return undefined;
}
