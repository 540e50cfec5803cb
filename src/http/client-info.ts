/** Who sent a request, as ejabberd is told. */

import type { ClientInfo } from '../gateway/meta.js';
import type { Front } from './front.js';
import type { RequestParser } from './request-parser.js';
import type { Wire } from './wire.js';

/** A user agent's text goes into logs and tables of ejabberd: enough to know it. */
const MAX_TEXT = 512;

export function clientInfo(wire: Wire, request: RequestParser, { proxies, isTls }: Front): ClientInfo {
  const { remoteAddress = '', remotePort = 0 } = wire;
  const forwarded = {
    forwardedFor: request.header('x-forwarded-for'),
    forwardedProto: request.header('x-forwarded-proto'),
  };
  return {
    ...proxies.clientOf(remoteAddress, remotePort, forwarded, isTls),
    path: request.path,
    origin: (request.header('origin') ?? '').slice(0, MAX_TEXT),
    userAgent: (request.header('user-agent') ?? '').slice(0, MAX_TEXT),
  };
}
