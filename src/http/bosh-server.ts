/**
 * The BOSH endpoint: accepts connections, and looks once a second for those whose time is over.
 *
 * What bounds memory: bodies of at most `maxBody`, `maxReceiving` for all that come in, at most `maxConnections` connections (some more are answered 503,
 * the rest is dropped), few requests at a time on each, and deadlines for clients that send or read too slowly.
 */

import { randomBytes } from 'node:crypto';
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  createServer as createTlsServer,
  type SecureContextOptions,
  type Server as TlsServer,
} from 'node:tls';
import type { Logger } from 'pino';
import type { MegaphoneError } from '../errors.js';
import type { Counters } from '../observe/counters.js';
import { LimitedLog } from '../observe/limited-log.js';
import { type CertificateFiles, loadCertificate, TICKET_KEYS } from './certificate.js';
import { TrustedProxies } from './client-address.js';
import { Connection } from './connection.js';
import { Cors } from './cors.js';
import { connectionsWithinFileLimit } from './file-limit.js';
import type { BoshService, Front } from './front.js';
import { listen } from './listen.js';
import { Receiving } from './receiving.js';
import { keepAlive } from './response.js';
import { tooLarge } from './routes.js';

export interface BoshServerOptions {
  readonly ip: string;
  /** 0 picks a free one; `undefined`: another process accepts the connections, for `serve`. */
  readonly port: number | undefined;
  readonly corsOrigins: readonly string[];
  readonly trustedProxies: readonly string[];
  /** Bytes. */
  readonly maxBody: number;
  /** Bytes of all requests that are coming in. */
  readonly maxReceiving: number;
  readonly maxConnections: number;
  /** Seconds to send a request's headers, from their first byte. */
  readonly headerTimeout: number;
  /** Seconds to send a whole request, and to read an answer. */
  readonly requestTimeout: number;
  /** Seconds that a connection may stay idle before its first request and between two. */
  readonly keepAliveTimeout: number;
  /** `undefined`: it speaks HTTP, else HTTPS. */
  readonly certificate: CertificateFiles | undefined;
  /** `TICKET_KEYS` bytes, where other processes have them, too. */
  readonly ticketKeys?: Buffer;
}

/** Connections beyond the maximum that still hear 503 instead of being dropped, but no more than this part of all. */
const REFUSED_CONNECTIONS = 100;
const REFUSED_PART = 0.1;
/** Seconds that requests have to come in, and then clients to close, when this stops. */
const GRACE = 1;
/** Seconds without a byte after which a connection counts as opened ahead: a request on its way has long come. */
const AHEAD = 2;

export class BoshServer {
  readonly #server: Server;
  readonly #front: Front;
  readonly #clock: NodeJS.Timeout;
  /** Open connections that another process accepted. */
  #given = 0;
  #onAllClosed = (): void => {};
  /** One listener for all, as a connection is to cost little. */
  readonly #onGivenClosed = (): void => {
    this.#given -= 1;
    if (this.#given === 0) this.#onAllClosed();
  };
  readonly #log: Logger;
  readonly #certificate: CertificateFiles | undefined;
  readonly #ticketKeys: Buffer;
  readonly #maxConnections: number;
  readonly #limited: LimitedLog;

  private constructor(service: BoshService, options: BoshServerOptions, counters: Counters, log: Logger) {
    this.#log = log;
    this.#limited = new LimitedLog(log);
    this.#certificate = options.certificate;
    this.#ticketKeys = options.ticketKeys ?? randomBytes(TICKET_KEYS);
    this.#front = {
      service,
      counters,
      cors: new Cors(options.corsOrigins),
      proxies: new TrustedProxies(options.trustedProxies),
      maxBody: options.maxBody,
      receiving: new Receiving(options.maxReceiving),
      tooLarge: tooLarge(options.maxBody),
      keepAliveLines: keepAlive(options.keepAliveTimeout),
      headerTimeout: options.headerTimeout,
      requestTimeout: options.requestTimeout,
      keepAliveTimeout: options.keepAliveTimeout,
      isTls: options.certificate !== undefined,
      connections: new Set(),
      unused: new Map(),
      now: Math.floor(process.uptime()),
      isStopping: false,
    };
    const { accepted, served } = this.#limits(options.maxConnections);
    this.#maxConnections = served;
    this.#server = this.#createServer(options.headerTimeout);
    this.#server.maxConnections = accepted;
    this.#server.on('drop', () => this.#onDrop());
    this.#clock = setInterval(() => this.#tick(), 1000);
  }

  /** @throws MegaphoneError HTTP_LISTEN, HTTP_CERTIFICATE */
  static async listen(
    service: BoshService,
    options: BoshServerOptions,
    counters: Counters,
    log: Logger,
  ): Promise<BoshServer> {
    const front = new BoshServer(service, options, counters, log);
    try {
      if (options.port !== undefined) await listen(front.#server, options.ip, options.port);
    } catch (error) {
      clearInterval(front.#clock);
      throw error;
    }
    // From here on: connections that could not be accepted, for want of memory or of files in the whole system.
    front.#server.on('error', (error) => {
      counters.refused.overload += 1;
      front.#limited.warn(
        'HTTP_NOT_ACCEPTED',
        { code: 'HTTP_NOT_ACCEPTED' },
        `a connection could not be accepted: ${error.message}`,
      );
    });
    return front;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  get connections(): number {
    return this.#front.connections.size;
  }

  /** Bytes that requests take which are coming in. */
  get receiving(): number {
    return this.#front.receiving.bytes;
  }

  /** Serves a connection that another process accepted, as if it had come to a port of this one. */
  serve(socket: Socket): void {
    if (this.#given >= this.#server.maxConnections) {
      socket.destroy();
      this.#onDrop();
      return;
    }
    this.#given += 1;
    socket.on('close', this.#onGivenClosed);
    this.#server.emit('connection', socket);
  }

  /** Uses what the certificate's files hold now; where that cannot be used, the old one stays. */
  reloadCertificate(): void {
    if (this.#certificate === undefined) return;
    try {
      (this.#server as TlsServer).setSecureContext(this.#secureContext(this.#certificate));
      this.#log.info(`new connections get the certificate in ${this.#certificate.cert}`);
    } catch (error) {
      this.#log.error({ err: error }, `the old certificate stays: ${(error as MegaphoneError).message}`);
    }
  }

  /**
   * Takes no new connections, ends idle ones, and says from now on that an answer is the last one of its connection.
   * Resolves when all are closed: the service has to answer what is held, and what is coming in has a second.
   */
  async close(): Promise<void> {
    const { connections } = this.#front;
    this.#front.isStopping = true;
    const closed = Promise.all([
      new Promise((resolve) => this.#server.close(resolve)),
      new Promise<void>((resolve) => {
        if (this.#given === 0) resolve();
        else this.#onAllClosed = resolve;
      }),
    ]);
    for (const connection of connections) connection.stop();
    // A TLS handshake under way is no connection yet, and nobody's concern any more.
    await within(GRACE, closed);
    for (const connection of connections) connection.stopWaiting();
    await within(GRACE, closed);
    for (const connection of connections) connection.destroy();
    clearInterval(this.#clock);
  }

  /** A session is taken up again whichever process began it, and whichever certificate it had then. */
  #secureContext(files: CertificateFiles): SecureContextOptions {
    return { ...loadCertificate(files), ticketKeys: this.#ticketKeys, sessionIdContext: 'megaphone' };
  }

  #createServer(handshakeTimeout: number): Server {
    const onConnection = (socket: Socket): void => {
      const isFull = this.connections >= this.#maxConnections;
      if (isFull) this.#logFull();
      const isRefused = isFull && !this.#makeRoom();
      new Connection(socket, this.#front, isRefused);
    };
    if (this.#certificate === undefined) return createServer({ noDelay: true }, onConnection);
    const server = createTlsServer(
      {
        ...this.#secureContext(this.#certificate),
        noDelay: true,
        handshakeTimeout: handshakeTimeout * 1000,
        ALPNProtocols: ['http/1.1'],
      },
      onConnection,
    );
    // Node.js leaves them open, be the handshake malformed or too slow.
    server.on('tlsClientError', (_, socket) => socket.destroy());
    return server;
  }

  /** How many connections are accepted, and how many of those hear something better than 503. */
  #limits(maxConnections: number): { readonly accepted: number; readonly served: number } {
    const most = connectionsWithinFileLimit();
    const refused = Math.min(REFUSED_CONNECTIONS, Math.ceil(most * REFUSED_PART));
    const served = Math.max(1, Math.min(maxConnections, most - refused));
    if (served < maxConnections) {
      this.#log.warn(
        {
          code: 'HTTP_FILE_LIMIT',
          hint: 'raise the limit of open files (ulimit -n, LimitNOFILE of systemd)',
        },
        `max_connections is ${maxConnections}, but this process may open files for ${served} only`,
      );
    }
    return { accepted: served + refused, served };
  }

  /** A connection that was opened ahead and not used so far is worth less than one that comes to be used. */
  #makeRoom(): boolean {
    const { unused, now } = this.#front;
    for (const [oldest, since] of unused) {
      if (since + AHEAD > now) return false;
      oldest.destroy();
      return true;
    }
    return false;
  }

  #onDrop(): void {
    this.#front.counters.refused.overload += 1;
    this.#logFull();
  }

  #logFull(): void {
    const text = `${this.connections} connections are open, new ones are refused`;
    this.#limited.warn('HTTP_CONNECTIONS', { code: 'HTTP_CONNECTIONS' }, text);
  }

  #tick(): void {
    this.#front.now = Math.floor(process.uptime());
    for (const connection of this.#front.connections) connection.expire();
  }
}

/** Resolves with `done`, or after so many seconds. */
async function within(seconds: number, done: Promise<unknown>): Promise<void> {
  const timeUp = new AbortController();
  await Promise.race([done, sleep(1000 * seconds, undefined, { signal: timeUp.signal }).catch(() => {})]);
  timeUp.abort();
}
