/** What the endpoint answers itself: anything that is no POST to one of its paths. */

import type { Header } from '../gateway/answers.js';
import { peek } from '../gateway/sid.js';
import { type Refusal, switching } from '../websocket/upgrade.js';
import { FORWARDED } from './address-limits.js';
import { Cors } from './cors.js';
import type { Front } from './front.js';
import { HOST_META_PATHS, hostMeta } from './host-meta.js';
import type { Incoming } from './incoming.js';
import type { RequestParser } from './request-parser.js';
import type { Reply, Response } from './response.js';

export const PATHS: readonly string[] = ['/bosh', '/bosh/', '/http-bind', '/http-bind/'];
/** The whole server (RFC 9112 §3.2.4). */
const SERVER = '*';
const METHODS: Header = ['allow', 'GET, HEAD, POST, OPTIONS'];
const TEXT: Header = ['content-type', 'text/plain; charset=utf-8'];

function text(status: number, line: string, ...headers: Header[]): Response {
  return { status, headers: [TEXT, ...headers], body: Buffer.from(`${line}\n`) };
}

const PAGE = text(
  200,
  'This is a BOSH endpoint (XEP-0124). Web chat clients of its XMPP server send POST requests here.',
);
const PREFLIGHT: Response = { status: 204, headers: [], body: Buffer.alloc(0) };
const NOT_FOUND: Reply = {
  ...text(
    404,
    'Nothing is here. BOSH clients go to /bosh, and /.well-known/host-meta says where WebSockets are.',
  ),
  reason: 'path',
};
const NOT_FROM_A_PAGE: Reply = {
  ...text(403, 'BOSH requests are sent by scripts, not by forms and links.'),
  reason: 'navigation',
};
const NOT_ALLOWED: Reply = { ...text(405, 'BOSH requests are sent with POST.', METHODS), reason: 'method' };

const NOT_WRITTEN: Reply = {
  ...text(405, 'This is read with GET.', ['allow', 'GET, HEAD, OPTIONS']),
  reason: 'method',
};

/** Counted already, as its connection came. */
export const TOO_MANY: Reply = text(503, 'Too many connections are open here.', ['retry-after', '2']);
export const TOO_MANY_OF_ADDRESS: Reply = text(429, 'Too many connections are open from your address.', [
  'retry-after',
  '10',
]);
const TOO_MANY_WEBSOCKETS: Reply = { ...TOO_MANY_OF_ADDRESS, reason: 'connections_of_address' };

export const STOPPING: Reply = {
  ...text(503, 'This gateway is stopping.', ['retry-after', '2']),
  reason: 'stopping',
};

export const TOO_SLOW: Reply = {
  ...text(503, 'More is coming in than there is room for, and this request was the slowest.', [
    'retry-after',
    '2',
  ]),
  reason: 'receiving',
};

/** The gateway has not granted an upgrade in time. */
export const NOT_GRANTED: Reply = text(504, 'Nobody answered in time.', ['retry-after', '2']);

/** Who does not wait for answers may get them as frames. */
const BEHIND_OTHERS: Reply = {
  ...text(400, 'A WebSocket is opened on a connection where no answer is due.'),
  reason: 'upgrade',
};
const WITH_BODY: Reply = { ...text(400, 'A request that opens a WebSocket has no body.'), reason: 'upgrade' };
const NAMELESS = text(404, 'Under which name this is known is not: public_url has to say it.');

/** No 4xx: any of those would end a BOSH session (XEP-0124 §17.1), and a stalled network is none of its errors. */
export const TIMED_OUT: Reply = {
  ...text(503, 'The request took too long to come in.', ['retry-after', '2']),
  reason: 'receiving',
};

/**
 * Its address asked too often. A request of a session hears no 4xx, as above.
 * @returns `undefined`: it did not
 */
export function tooOften(request: Incoming, { limits, now }: Front): Reply | undefined {
  const wait = limits.wait(request, now);
  if (wait === 0) return undefined;
  const status = peek(request.body).sid === undefined ? 429 : 503;
  const reply = text(status, 'Too many requests came from your address.', ['retry-after', `${wait}`]);
  return { ...reply, reason: 'requests_of_address' };
}

export const bodyTooLarge = (maxBody: number): Reply => ({
  ...text(413, `A request may have ${maxBody} bytes.`),
  reason: 'too_large',
});

/**
 * Whether the connection ends with it: who gets here by mistake does not come again, and who does so in masses pays for
 * each with a connection. A BOSH client may meet 413, and goes on.
 */
export const isLast = (reply: Reply | undefined): boolean =>
  reply !== undefined && reply.status >= 400 && reply.status !== 413;

const MALFORMED: Readonly<Record<number, string>> = {
  400: 'This is no valid HTTP/1.1 request.',
  417: 'The only expectation known here is 100-continue.',
  431: 'The headers of a request may have 16 KB.',
  501: 'The only transfer coding known here is chunked.',
  505: 'The versions known here are HTTP/1.1 and HTTP/1.0.',
};

export const malformed = (status: number): Reply =>
  status === 405
    ? NOT_ALLOWED
    : { ...text(status, MALFORMED[status] ?? ''), reason: status === 431 ? 'headers' : 'malformed' };

/** What a script can send (Fetch §2.2.5): any other mode has the browser show the answer, or speak another protocol. */
const MODES: readonly (string | undefined)[] = [undefined, 'cors', 'no-cors', 'same-origin'];

/**
 * Whether the browser would show the answer as a page or a part of one. A form of a foreign page posts without asking
 * for leave, and the page shown would be of this endpoint's origin. Older browsers, and all where this is no HTTPS, do
 * not tell (an empty value tells nothing either); for those the answer's own headers have to do.
 */
const isNavigation = (request: RequestParser): boolean =>
  !MODES.includes(request.header('sec-fetch-mode') || undefined) ||
  (request.header('sec-fetch-dest') || 'empty') !== 'empty';

/**
 * `undefined` for a BOSH request that is not too large; 101 for a WebSocket, to be answered if the gateway grants it.
 * @param isDue an answer to an earlier request is to come
 */
export function route(request: Incoming, front: Front, isDue: boolean): Reply | undefined {
  const { parser } = request;
  const { path, method } = parser;
  if (path === SERVER) return method === 'OPTIONS' ? PREFLIGHT : malformed(400);
  if (front.webSocketPaths.includes(path)) return upgrade(request, front, isDue);
  if (HOST_META_PATHS.includes(path)) return found(request, front);
  if (!PATHS.includes(path)) return NOT_FOUND;
  switch (method) {
    case 'POST':
      if (isNavigation(parser)) return NOT_FROM_A_PAGE;
      return parser.isTooLarge ? front.tooLarge : undefined;
    case 'OPTIONS':
      return PREFLIGHT;
    case 'GET':
    case 'HEAD':
      return PAGE;
    default:
      return NOT_ALLOWED;
  }
}

function upgrade(asked: Incoming, { upgrades, limits, isDraining }: Front, isDue: boolean): Reply {
  const { parser: request } = asked;
  const refusal = upgrades.refusalOf(request);
  if (refusal !== undefined) return refused(refusal);
  if (isDraining) return STOPPING;
  if (isDue) return BEHIND_OTHERS;
  if (hasBody(request)) return WITH_BODY;
  if (asked.address === FORWARDED && !limits.hasRoom(limits.ofClient(asked.client)))
    return TOO_MANY_WEBSOCKETS;
  return { status: 101, headers: [], body: switching(request.header('sec-websocket-key') ?? '') };
}

const hasBody = (request: RequestParser): boolean =>
  request.header('transfer-encoding') !== undefined || Number(request.header('content-length') ?? 0) > 0;

function refused({ status, headers, why }: Refusal): Reply {
  const reason = status === 403 ? 'origin' : status === 405 ? 'method' : 'upgrade';
  return { ...text(status, why, ...headers), reason };
}

function found({ parser, client }: Incoming, front: Front): Reply {
  switch (parser.method) {
    case 'GET':
    case 'HEAD':
      return hostMeta(parser.path, front, parser.header('host'), client.secure) ?? NAMELESS;
    case 'OPTIONS':
      return PREFLIGHT;
    default:
      return NOT_WRITTEN;
  }
}

const ANYBODY = new Cors(['*']);

/** The header lines of every answer to it that say which pages may read that (XEP-0156 §6: all, where the endpoints are). */
export function corsLines(request: RequestParser, { cors }: Front): string {
  const rules = HOST_META_PATHS.includes(request.path) ? ANYBODY : cors;
  return rules.linesFor(request.method, request.header('origin'));
}
