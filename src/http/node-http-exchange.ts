/** One POST of node:http as the gateway's exchange: from the whole body to the one answer. */

import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Header } from '../gateway/answers.js';
import type { HttpExchange } from '../gateway/gateway.js';
import type { ClientInfo } from '../gateway/meta.js';
import type { Counters } from '../observe/counters.js';
import type { TrustedProxies } from './client-address.js';
import { isAllowedHeader } from './response-headers.js';

/** What all exchanges of a server share. */
export interface ExchangeContext {
  readonly counters: Counters;
  readonly proxies: TrustedProxies;
  /** Milliseconds that a client may take to read its answer. */
  readonly readTimeout: number;
}

/** A user agent's text goes into logs and tables of ejabberd: enough to know it. */
const MAX_TEXT = 512;

export class NodeHttpExchange implements HttpExchange {
  /** The gateway's, to tell it that the client went away. */
  handle = 0;
  readonly #request: IncomingMessage;
  readonly #response: ServerResponse;
  readonly #context: ExchangeContext;
  readonly #cors: readonly Header[];
  /** Those of this connection without an answer. */
  readonly #held: Set<NodeHttpExchange>;

  constructor(
    request: IncomingMessage,
    response: ServerResponse,
    context: ExchangeContext,
    cors: readonly Header[],
    held: Set<NodeHttpExchange>,
  ) {
    this.#request = request;
    this.#response = response;
    this.#context = context;
    this.#cors = cors;
    this.#held = held;
    held.add(this);
  }

  client(): ClientInfo {
    const { headers, socket, url } = this.#request;
    const address = this.#context.proxies.clientOf(socket.remoteAddress ?? '', socket.remotePort ?? 0, {
      forwardedFor: joined(headers['x-forwarded-for']),
      forwardedProto: joined(headers['x-forwarded-proto']),
    });
    return {
      ...address,
      path: pathOf(url),
      origin: (headers.origin ?? '').slice(0, MAX_TEXT),
      userAgent: (headers['user-agent'] ?? '').slice(0, MAX_TEXT),
    };
  }

  answer(status: number, headers: readonly Header[], body: Buffer): void {
    this.#held.delete(this);
    respond(this.#response, status, [...this.#cors, ...this.#allowed(headers)], body);
    // Only a client that does not read leaves bytes behind here; node:http sets its own timeout once they are gone.
    const { socket } = this.#response;
    if (socket !== null && socket.writableLength > 0) socket.setTimeout(this.#context.readTimeout);
  }

  #allowed(headers: readonly Header[]): readonly Header[] {
    const allowed = headers.filter(isAllowedHeader);
    this.#context.counters.refusedHeaders += headers.length - allowed.length;
    return allowed;
  }
}

/** Writes a whole response; `text/xml` unless a header says otherwise. */
export function respond(
  response: ServerResponse,
  status: number,
  headers: readonly Header[],
  body: Buffer | string,
): void {
  const flat: string[] = [];
  let hasType = false;
  for (const [name, value] of headers) {
    hasType ||= name.toLowerCase() === 'content-type';
    flat.push(name, value);
  }
  if (!hasType) flat.push('content-type', 'text/xml; charset=utf-8');
  // RFC 9110 §8.6: these have no content, and a 204 must not carry the header.
  if (status !== 204 && status !== 304) flat.push('content-length', String(Buffer.byteLength(body)));
  response.writeHead(status, flat).end(body);
}

export function pathOf(url: string | undefined): string {
  return (url ?? '').split('?', 1)[0] ?? '';
}

/** Headers that came several times; node:http joins most itself, but not with a type that says so. */
function joined(header: string | string[] | undefined): string | undefined {
  return Array.isArray(header) ? header.join(',') : header;
}
