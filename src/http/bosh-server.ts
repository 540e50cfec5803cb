/**
 * The BOSH endpoint on node:http: collects a request's body, gives it to the gateway, and writes the one answer.
 *
 * What bounds memory: bodies of at most `maxBody`, at most `maxConnections` connections (some more are answered 503,
 * the rest is dropped), few requests at a time on each, and timeouts for clients that send or read too slowly.
 */

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import type { Header } from '../gateway/answers.js';
import type { HttpExchange } from '../gateway/gateway.js';
import type { Counters } from '../observe/counters.js';
import { TrustedProxies } from './client-address.js';
import { Cors } from './cors.js';
import { listen } from './listen.js';
import { type ExchangeContext, NodeHttpExchange, pathOf, respond } from './node-http-exchange.js';

/** The gateway, as the HTTP front sees it. */
export interface BoshService {
  /** A handle for `closed`, or 0 where the exchange is already answered. */
  request(exchange: HttpExchange, body: Buffer): number;
  closed(handle: number): void;
}

export interface BoshServerOptions {
  readonly ip: string;
  /** 0 picks a free one. */
  readonly port: number;
  readonly corsOrigins: readonly string[];
  readonly trustedProxies: readonly string[];
  /** Bytes. */
  readonly maxBody: number;
  readonly maxConnections: number;
  /** Seconds to send a request's headers. */
  readonly headerTimeout: number;
  /** Seconds to send a whole request, and to read an answer. */
  readonly requestTimeout: number;
  /** Seconds that a connection may stay idle between two requests. */
  readonly keepAliveTimeout: number;
}

interface Connection {
  /** It came when the maximum was reached: it hears 503 and is closed. */
  readonly isRefused: boolean;
  /** Requests without an answer: several where the client sends on without waiting (HTTP pipelining). */
  readonly held: Set<NodeHttpExchange>;
}

/** Connections beyond the maximum that still hear 503 instead of being dropped. */
const REFUSED_CONNECTIONS = 100;
/** BOSH needs two (XEP-0124 §11: `requests` is hold + 1). */
const MAX_PIPELINED = 8;

const PATHS: readonly string[] = ['/bosh', '/http-bind'];
const METHODS = 'GET, HEAD, POST, OPTIONS';
const TEXT: Header = ['content-type', 'text/plain; charset=utf-8'];
const RETRY_AFTER: Header = ['retry-after', '2'];
const CLOSE: Header = ['connection', 'close'];
const PAGE =
  'This is a BOSH endpoint (XEP-0124). Web chat clients of its XMPP server send POST requests here.\n';

export class BoshServer {
  readonly #server: Server;
  readonly #service: BoshService;
  readonly #options: BoshServerOptions;
  readonly #counters: Counters;
  readonly #cors: Cors;
  readonly #context: ExchangeContext;
  readonly #connections = new Map<Socket, Connection>();

  private constructor(service: BoshService, options: BoshServerOptions, counters: Counters) {
    this.#service = service;
    this.#options = options;
    this.#counters = counters;
    this.#cors = new Cors(options.corsOrigins);
    this.#context = {
      counters,
      proxies: new TrustedProxies(options.trustedProxies),
      readTimeout: options.requestTimeout * 1000,
    };
    this.#server = createServer({
      headersTimeout: options.headerTimeout * 1000,
      requestTimeout: options.requestTimeout * 1000,
      keepAliveTimeout: options.keepAliveTimeout * 1000,
      connectionsCheckingInterval: 1000,
    });
    this.#server.maxConnections = options.maxConnections + REFUSED_CONNECTIONS;
    this.#server.on('connection', (socket) => this.#onConnection(socket));
    this.#server.on('drop', () => {
      this.#counters.refused.overload += 1;
    });
    const onRequest = this.#onRequest.bind(this);
    this.#server.on('request', onRequest);
    // Without this listener node:http would invite a body before its size is looked at.
    this.#server.on('checkContinue', onRequest);
  }

  /** @throws MegaphoneError HTTP_LISTEN */
  static async listen(
    service: BoshService,
    options: BoshServerOptions,
    counters: Counters,
  ): Promise<BoshServer> {
    const front = new BoshServer(service, options, counters);
    await listen(front.#server, options.ip, options.port);
    return front;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#connections.size;
  }

  /** Takes no new connections and ends idle ones; resolves when the answers under way are written. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    const cut = setTimeout(() => this.#server.closeAllConnections(), 1000);
    await closed;
    clearTimeout(cut);
  }

  #onConnection(socket: Socket): void {
    const isRefused = this.#connections.size >= this.#options.maxConnections;
    const connection: Connection = { isRefused, held: new Set() };
    this.#connections.set(socket, connection);
    // Not the responses' own event: node:http does not emit it for those that wait behind another one.
    socket.once('close', () => {
      this.#connections.delete(socket);
      for (const { handle } of connection.held) this.#service.closed(handle);
    });
  }

  #onRequest(request: IncomingMessage, response: ServerResponse): void {
    const connection = this.#connections.get(request.socket);
    if (connection === undefined || connection.held.size >= MAX_PIPELINED) {
      request.socket.destroy();
      return;
    }
    const cors = this.#cors.headers(request.headers.origin);
    if (connection.isRefused) this.#refuseConnection(request, response, cors);
    else this.#route(request, response, cors, connection.held);
  }

  #refuseConnection(request: IncomingMessage, response: ServerResponse, cors: readonly Header[]): void {
    this.#counters.refused.overload += 1;
    // Closing with unread bytes would reset the connection, and the client might never see the answer.
    request.resume().once('end', () => {
      respond(response, 503, [...cors, RETRY_AFTER, TEXT, CLOSE], 'Too many connections are open here.\n');
    });
  }

  #route(
    request: IncomingMessage,
    response: ServerResponse,
    cors: readonly Header[],
    held: Connection['held'],
  ): void {
    if (!PATHS.includes(pathOf(request.url))) {
      this.#counters.refused.path += 1;
      respond(response, 404, [...cors, TEXT], 'Nothing is here. The BOSH endpoint is /bosh.\n');
      return;
    }
    switch (request.method) {
      case 'POST':
        this.#collect(request, response, cors, held);
        break;
      case 'OPTIONS':
        respond(response, 204, this.#cors.preflight(request.headers.origin), '');
        break;
      case 'GET':
      case 'HEAD':
        respond(response, 200, [...cors, TEXT], PAGE);
        break;
      default:
        this.#counters.refused.method += 1;
        respond(response, 405, [...cors, ['allow', METHODS], TEXT], 'BOSH requests are sent with POST.\n');
    }
  }

  #collect(
    request: IncomingMessage,
    response: ServerResponse,
    cors: readonly Header[],
    held: Connection['held'],
  ): void {
    const { maxBody } = this.#options;
    if (Number(request.headers['content-length'] ?? 0) > maxBody) {
      this.#refuseTooLarge(response, cors);
      return;
    }
    if (request.headers.expect !== undefined) response.writeContinue();
    let chunks: Buffer[] = [];
    let size = 0;
    request.on('data', (chunk: Buffer) => {
      size += chunk.length;
      if (size <= maxBody) {
        chunks.push(chunk);
      } else if (!response.headersSent) {
        chunks = [];
        this.#refuseTooLarge(response, cors);
      }
    });
    request.once('end', () => {
      if (size > maxBody || request.socket.destroyed) return;
      const [first] = chunks;
      const body = first !== undefined && chunks.length === 1 ? first : Buffer.concat(chunks, size);
      const exchange = new NodeHttpExchange(request, response, this.#context, cors, held);
      exchange.handle = this.#service.request(exchange, body);
    });
  }

  /** The rest of the body is read and forgotten, within the request's time, so that the client sees the answer. */
  #refuseTooLarge(response: ServerResponse, cors: readonly Header[]): void {
    this.#counters.refused.too_large += 1;
    const text = `A request may have ${this.#options.maxBody} bytes.\n`;
    respond(response, 413, [...cors, TEXT], text);
  }
}
