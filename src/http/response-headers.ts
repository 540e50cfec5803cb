/** Which headers of an ejabberd's answer go to the client. */

import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { Header } from '../gateway/answers.js';
import type { Counters } from '../observe/counters.js';
import type { Response } from './response.js';

/** Headers that frame the message (RFC 9112 §6, RFC 9110 §7.6.1): those are ours alone. */
const FRAMING = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);

/** The response without the others, which are counted. */
export function onlyAllowed(response: Response, counters: Counters): Response {
  if (response.headers.every(isAllowed)) return response;
  const headers = response.headers.filter(isAllowed);
  counters.refusedHeaders += response.headers.length - headers.length;
  return { ...response, headers };
}

/** `false` where it would break the response's framing, or carries control characters (header injection). */
function isAllowed([name, value]: Header): boolean {
  if (FRAMING.has(name.toLowerCase())) return false;
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
}
