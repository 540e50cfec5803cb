/** The bytes of a response: head and body in one buffer, so that an answer is one write. */

import { STATUS_CODES } from 'node:http';
import type { Header } from '../gateway/answers.js';
import type { Counters } from '../observe/counters.js';

export interface Response {
  readonly status: number;
  readonly headers: readonly Header[];
  readonly body: Buffer;
}

/** What the endpoint answers itself. */
export interface Reply extends Response {
  /** Where it counts as a refusal. */
  readonly reason?: keyof Counters['refused'];
}

export const CONTINUE = Buffer.from('HTTP/1.1 100 Continue\r\n\r\n');

export const CLOSE = 'connection: close\r\n';
/** HTTP/1.0 clients go on only if they hear it; others learn when it is too late to send (RFC 2068 §19.7.1). */
export const keepAlive = (seconds: number): string =>
  `connection: keep-alive\r\nkeep-alive: timeout=${Math.floor(seconds)}\r\n`;

/**
 * What an answer holds may be written by anyone who can send a message to the session. A browser that shows one as a
 * page must neither take it for another type nor run anything of it: `sandbox` puts it in an origin of its own, without
 * scripts (HTML §7.1.5), in the fewest bytes. A server's headers may stand behind, and only add to these.
 */
const INERT = 'x-content-type-options: nosniff\r\ncontent-security-policy: sandbox\r\n';

const XML = 'content-type: text/xml; charset=utf-8\r\n';

/** RFC 9110 §6.6.1 wants the date in answers. */
let dateLine = '';
let dateSecond = 0;
function date(): string {
  const now = Date.now();
  const second = Math.floor(now / 1000);
  if (second !== dateSecond) {
    dateSecond = second;
    dateLine = `date: ${new Date(now).toUTCString()}\r\n`;
  }
  return dateLine;
}

/** Of answers that go on for as long as their connection does: nothing on their way is to keep them, be it a cache or a proxy's buffer (nginx's). */
const GOING_ON = `cache-control: no-store, no-transform\r\nx-accel-buffering: no\r\n${CLOSE}`;

/** The head of such an answer, of that type. @param lines further header lines, each with its line break */
export const encodeHead = (type: string, lines: string): Buffer =>
  Buffer.from(
    `HTTP/1.1 200 OK\r\n${date()}${INERT}${lines}content-type: ${type}\r\n${GOING_ON}\r\n`,
    'latin1',
  );

/**
 * @param lines further header lines, each with its line break
 * @param isHead leaves the body out: the answer to a HEAD request
 */
export function encodeResponse({ status, headers, body }: Response, lines: string, isHead: boolean): Buffer {
  // RFC 9110 §8.6: these have no content, and a 204 must not carry the header.
  const hasContent = status !== 204 && status !== 304;
  let head = `HTTP/1.1 ${status} ${STATUS_CODES[status] ?? 'Unknown'}\r\n${date()}${INERT}${lines}`;
  let hasType = headers.length > 0 && headers.some(([name]) => name.toLowerCase() === 'content-type');
  for (const [name, value] of headers) head += `${name}: ${value}\r\n`;
  hasType ||= !hasContent;
  head += hasContent ? `${hasType ? '' : XML}content-length: ${body.length}\r\n\r\n` : '\r\n';
  const length = isHead || !hasContent ? 0 : body.length;
  const bytes = Buffer.allocUnsafe(head.length + length);
  bytes.write(head, 'latin1');
  if (length > 0) body.copy(bytes, head.length);
  return bytes;
}
