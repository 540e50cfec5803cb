/** What is answered at more than one of the paths, or before the path is known. */

import type { Header } from '../gateway/answers.js';
import type { Refusal } from '../websocket/upgrade.js';
import type { RequestParser } from './request-parser.js';
import type { Reply, Response } from './response.js';

export const TEXT: Header = ['content-type', 'text/plain; charset=utf-8'];

export function text(status: number, line: string, ...headers: Header[]): Response {
  return { status, headers: [TEXT, ...headers], body: Buffer.from(`${line}\n`) };
}

export const PREFLIGHT: Response = { status: 204, headers: [], body: Buffer.alloc(0) };

/** Counted already, as its connection came. */
export const TOO_MANY: Reply = text(503, 'Too many connections are open here.', ['retry-after', '2']);
export const TOO_MANY_OF_ADDRESS: Reply = text(429, 'Too many connections are open from your address.', [
  'retry-after',
  '10',
]);
/** Behind a proxy: connections that stay. */
export const TOO_MANY_OPEN: Reply = { ...TOO_MANY_OF_ADDRESS, reason: 'connections_of_address' };

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

/** Whoever is to grant it has not in time. */
export const NOT_GRANTED: Reply = text(504, 'Nobody answered in time.', ['retry-after', '2']);

/** Who does not wait for answers may get them as frames. */
export const BEHIND_OTHERS: Reply = {
  ...text(400, 'A WebSocket, or a stream, is opened on a connection where no answer is due.'),
  reason: 'upgrade',
};
export const WITH_BODY: Reply = {
  ...text(400, 'A request that opens a WebSocket, or a stream, has no body.'),
  reason: 'upgrade',
};

/** No 4xx: any of those would end a BOSH session (XEP-0124 §17.1), and a stalled network is none of its errors. */
export const TIMED_OUT: Reply = {
  ...text(503, 'The request took too long to come in.', ['retry-after', '2']),
  reason: 'receiving',
};

export const hasBody = (request: RequestParser): boolean =>
  request.header('transfer-encoding') !== undefined || Number(request.header('content-length') ?? 0) > 0;

export function refused({ status, headers, why }: Refusal): Reply {
  const reason = status === 403 ? 'origin' : status === 405 ? 'method' : 'upgrade';
  return { ...text(status, why, ...headers), reason };
}
