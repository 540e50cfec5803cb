/**
 * The BOSH endpoint: accepts connections, and looks once a second for those whose time is over.
 *
 * What bounds memory: bodies of at most `maxBody`, at most `maxConnections` connections (some more are answered 503,
 * the rest is dropped), few requests at a time on each, and deadlines for clients that send or read too slowly.
 */

import { type AddressInfo, createServer, type Server } from 'node:net';
import type { Counters } from '../observe/counters.js';
import { TrustedProxies } from './client-address.js';
import { type BoshService, Connection, type Front } from './connection.js';
import { Cors } from './cors.js';
import { listen } from './listen.js';
import { ParserPool } from './parser-pool.js';
import { keepAlive } from './response.js';
import { tooLarge } from './routes.js';

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

/** Connections beyond the maximum that still hear 503 instead of being dropped. */
const REFUSED_CONNECTIONS = 100;

export class BoshServer {
  readonly #server: Server;
  readonly #front: Front;
  readonly #clock: NodeJS.Timeout;

  private constructor(service: BoshService, options: BoshServerOptions, counters: Counters) {
    this.#front = {
      service,
      counters,
      cors: new Cors(options.corsOrigins),
      proxies: new TrustedProxies(options.trustedProxies),
      parsers: new ParserPool(options.maxBody),
      tooLarge: tooLarge(options.maxBody),
      keepAliveLines: keepAlive(options.keepAliveTimeout),
      headerTimeout: options.headerTimeout,
      requestTimeout: options.requestTimeout,
      keepAliveTimeout: options.keepAliveTimeout,
      isSecure: false,
      connections: new Set(),
      now: Math.floor(process.uptime()),
      isStopping: false,
    };
    this.#server = createServer({ noDelay: true }, (socket) => {
      new Connection(socket, this.#front, this.connections >= options.maxConnections);
    });
    this.#server.maxConnections = options.maxConnections + REFUSED_CONNECTIONS;
    this.#server.on('drop', () => {
      counters.refused.overload += 1;
    });
    this.#clock = setInterval(() => this.#tick(), 1000);
  }

  /** @throws MegaphoneError HTTP_LISTEN */
  static async listen(
    service: BoshService,
    options: BoshServerOptions,
    counters: Counters,
  ): Promise<BoshServer> {
    const front = new BoshServer(service, options, counters);
    try {
      await listen(front.#server, options.ip, options.port);
    } catch (error) {
      clearInterval(front.#clock);
      throw error;
    }
    return front;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#front.connections.size;
  }

  /** Takes no new connections and ends idle ones; resolves when the answers under way are written. */
  async close(): Promise<void> {
    const { connections } = this.#front;
    this.#front.isStopping = true;
    const closed = new Promise((resolve) => this.#server.close(resolve));
    for (const connection of connections) connection.stop();
    const cut = setTimeout(() => {
      for (const connection of connections) connection.destroy();
    }, 1000);
    await closed;
    clearTimeout(cut);
    clearInterval(this.#clock);
  }

  #tick(): void {
    this.#front.now = Math.floor(process.uptime());
    for (const connection of this.#front.connections) connection.expire();
  }
}
