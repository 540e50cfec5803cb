/**
 * The answers that the gateway gives itself. A BOSH client repeats the same request after 502, 503 and 504, at once
 * and then ever more slowly; any 4xx, and a `terminate`, end its session (XEP-0124 §17).
 */

import type { Counters } from '../observe/counters.js';
import type { Header } from './answers.js';
import type { ClientSocket, HttpExchange } from './ports.js';

type Reason = keyof Counters['refused'] | 'timeout';

export interface Refusal {
  /** Under which it is counted. */
  readonly reason: Reason;
  readonly status: number;
  readonly headers: readonly Header[];
  readonly body: Buffer;
}

const RETRY_AFTER: Header = ['retry-after', '2'];

function plainText(reason: Reason, status: number, text: string, ...headers: Header[]): Refusal {
  return {
    reason,
    status,
    headers: [['content-type', 'text/plain; charset=utf-8'], ...headers],
    body: Buffer.from(`${text}\n`),
  };
}

export const OVERLOAD = plainText('overload', 503, 'Too many requests are open here.', RETRY_AFTER);
export const BUSY = plainText('busy', 503, 'The server has more requests than it can take.', RETRY_AFTER);
export const FULL = plainText('full', 503, 'No more sessions can begin now.', RETRY_AFTER);
export const NO_NODE = plainText('no_node', 503, 'No ejabberd node is in service.', RETRY_AFTER);
export const NODE_LOST = plainText(
  'node_lost',
  503,
  'The ejabberd node of this session was lost.',
  RETRY_AFTER,
);
export const STOPPING = plainText('stopping', 503, 'This gateway is stopping.', RETRY_AFTER);
/** To all clients of that address, which so many seconds later may begin sessions again. */
const ofAddress =
  (reason: Reason, text: string) =>
  (seconds: number): Refusal =>
    plainText(reason, 429, text, ['retry-after', `${seconds}`]);
export const failedLogins = ofAddress('failed_logins', 'Too many logins from your address failed.');
export const banned = ofAddress('banned', 'Your address is banned for now.');

export const UNANSWERED = plainText('timeout', 504, 'ejabberd did not answer in time.');

/** XEP-0124 §17.2: the session of that sid is not known (any more). */
export const UNKNOWN_SID: Refusal = {
  reason: 'unknown_sid',
  status: 200,
  headers: [],
  body: Buffer.from(
    "<body type='terminate' condition='item-not-found' xmlns='http://jabber.org/protocol/httpbind'/>",
  ),
};

export function refuse(http: HttpExchange, counters: Counters, refusal: Refusal): void {
  count(counters, refusal);
  http.answer(refusal.status, refusal.headers, refusal.body);
}

/** A WebSocket is not opened: its client hears the same. */
export function refuseSocket(socket: ClientSocket, counters: Counters, refusal: Refusal): void {
  count(counters, refusal);
  socket.refuse(refusal.status, refusal.headers, refusal.body);
}

function count(counters: Counters, { reason }: Refusal): void {
  if (reason === 'timeout') counters.timeouts += 1;
  else counters.refused[reason] += 1;
}
