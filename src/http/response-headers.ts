/** Which headers of an ejabberd's answer go to the client. */

import { validateHeaderName, validateHeaderValue } from 'node:http';
import type { Header } from '../gateway/answers.js';

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

/** `false` where it would break the response's framing, or carries control characters (header injection). */
export function isAllowedHeader([name, value]: Header): boolean {
  if (FRAMING.has(name.toLowerCase())) return false;
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return true;
  } catch {
    return false;
  }
}
