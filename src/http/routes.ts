/** What the endpoint answers itself: anything that is no POST to one of its paths. */

import type { Header } from '../gateway/answers.js';
import { peek } from '../gateway/sid.js';
import { PROTOCOL, switching } from '../websocket/upgrade.js';
import { transportOf } from './comet/asked.js';
import { gently } from './comet/gently.js';
import { routeComet } from './comet/route.js';
import type { Front } from './front.js';
import { HOST_META_PATHS, hostMeta } from './host-meta.js';
import type { Incoming } from './incoming.js';
import { PREFLIGHT, refused, STOPPING, text } from './replies.js';
import type { RequestParser } from './request-parser.js';
import type { Reply } from './response.js';
import { openWebSocket, type Takeover, whyNotTaken } from './take-over.js';
import { COMET_PATH } from './target.js';

export const PATHS: readonly string[] = ['/bosh', '/bosh/', '/http-bind', '/http-bind/'];
/** The whole server (RFC 9112 §3.2.4). */
const SERVER = '*';
const METHODS: Header = ['allow', 'GET, HEAD, POST, OPTIONS'];

const PAGE = text(
  200,
  'This is a BOSH endpoint (XEP-0124). Web chat clients of its XMPP server send POST requests here.',
);
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

const NAMELESS = text(404, 'Under which name this is known is not: public_url has to say it.');

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

/** As its client can take it, whoever refuses. */
export function toldTo({ parser }: Incoming, { comet }: Front, reply: Reply): Reply {
  const isComet = comet !== undefined && parser.path.startsWith(COMET_PATH);
  return isComet && parser.method === 'GET' ? gently(reply, transportOf(parser)) : reply;
}

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
 * `undefined` for a request that is held: of BOSH, where it is not too large, or a poll of comet.
 * @param isDue an answer to an earlier request is to come
 */
export function route(request: Incoming, front: Front, isDue: boolean): Reply | Takeover | undefined {
  const { parser } = request;
  const { path, method } = parser;
  if (path === SERVER) return method === 'OPTIONS' ? PREFLIGHT : malformed(400);
  if (front.webSocketPaths.includes(path)) return upgrade(request, front, isDue);
  if (HOST_META_PATHS.includes(path)) return found(request, front);
  if (!PATHS.includes(path)) {
    const isComet = front.comet !== undefined && path.startsWith(COMET_PATH);
    return isComet ? routeComet(request, front, front.comet, isDue) : NOT_FOUND;
  }
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

function upgrade(request: Incoming, front: Front, isDue: boolean): Reply | Takeover {
  const { parser } = request;
  const refusal = front.upgrades.refusalOf(parser);
  if (refusal !== undefined) return refused(refusal);
  if (front.isDraining) return STOPPING;
  const answer = switching(parser.header('sec-websocket-key') ?? '', PROTOCOL);
  return whyNotTaken(request, front, isDue) ?? openWebSocket(answer, front.sockets);
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
