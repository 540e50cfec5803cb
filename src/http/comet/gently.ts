/** Refusals that pass, as an EventSource can take them. */

import type { Reply } from '../response.js';
import type { Transport } from './asked.js';

const PASSING: readonly number[] = [429, 503, 504];

/**
 * Any other status than 200 ends an EventSource for good (HTML §9.2.2): so where the same may be asked again in a while, it hears an empty
 * stream, and in its words when that is.
 */
export function gently(reply: Reply, transport: Transport): Reply {
  if (transport !== 'sse' || !PASSING.includes(reply.status)) return reply;
  const seconds = Number(reply.headers.find(([name]) => name === 'retry-after')?.[1] ?? 2);
  return {
    ...reply,
    status: 200,
    headers: [
      ['content-type', 'text/event-stream'],
      ['cache-control', 'no-store'],
    ],
    body: Buffer.concat([
      Buffer.from(`: ${reply.status} `),
      reply.body,
      Buffer.from(`retry: ${1000 * seconds}\n\n`),
    ]),
  };
}
