/** What is answered to a request for `/comet/…`, or who takes its connection over; docs/comet.md has the transports. */

import type { Header } from '../../gateway/answers.js';
import { faultIn, switching } from '../../websocket/upgrade.js';
import type { Front } from '../front.js';
import type { Incoming } from '../incoming.js';
import { PREFLIGHT, refused, STOPPING, text } from '../replies.js';
import type { Reply } from '../response.js';
import { openWebSocket, type Takeover, whyNotTaken } from '../take-over.js';
import { type Asked, read } from './asked.js';
import type { CometFront } from './comet-front.js';
import { SocketPage } from './socket-page.js';
import { openStream } from './stream-connection.js';

const METHODS: Header = ['allow', 'GET, HEAD, OPTIONS'];
const NOT_ALLOWED: Reply = {
  ...text(
    405,
    'To listen is to GET. Messages come from Erlang, or by POST /publish on the admin port.',
    METHODS,
  ),
  reason: 'method',
};
const FOREIGN: Reply = {
  ...text(403, 'Pages of this origin may not listen: cors_origins has to name it.'),
  reason: 'origin',
};
const NO_UPGRADE: Reply = {
  ...text(
    426,
    'A WebSocket is opened with GET of HTTP/1.1.',
    ['upgrade', 'websocket'],
    ['connection', 'upgrade'],
  ),
  reason: 'upgrade',
};

/** `undefined`: it is held. @param isDue an answer to an earlier request is to come */
export function routeComet(
  request: Incoming,
  front: Front,
  comet: CometFront,
  isDue: boolean,
): Reply | Takeover | undefined {
  const { parser, client } = request;
  const { origins, maxIds } = comet;
  if (parser.method === 'OPTIONS') return PREFLIGHT;
  if (parser.method !== 'GET' && parser.method !== 'HEAD') return NOT_ALLOWED;
  if (!origins.mayListen(parser, client.secure)) return FOREIGN;
  const asked = read(request, maxIds, origins.cookiesCount(parser, client.secure));
  if (typeof asked === 'string') return { ...text(400, asked), reason: 'malformed' };
  if (asked.transport === 'websocket') return upgrade(request, front, comet, asked, isDue);
  if (asked.transport === 'poll' || asked.isHead) {
    request.poll = asked;
    return undefined;
  }
  const why = front.isStopping ? STOPPING : whyNotTaken(request, front, isDue);
  return why ?? openStream(comet, asked);
}

function upgrade(
  request: Incoming,
  front: Front,
  comet: CometFront,
  asked: Asked,
  isDue: boolean,
): Reply | Takeover {
  const { parser } = request;
  if (asked.isHead || !asked.isHttp11) return NO_UPGRADE;
  const fault = faultIn(parser);
  if (fault !== undefined) return refused(fault);
  if (front.isDraining) return STOPPING;
  const answer = switching(parser.header('sec-websocket-key') ?? '');
  return whyNotTaken(request, front, isDue) ?? openWebSocket(answer, new SocketPage(comet, asked));
}
