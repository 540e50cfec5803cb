/**
 * The endpoints of BOSH and of WebSockets: accepts connections, and looks once a second for those whose time is over.
 *
 * What bounds memory: bodies of at most `maxBody`, `maxReceiving` for all that come in, at most `maxConnections`
 * connections (some more are answered 503) and a part of that at their TLS handshake, few requests at a time on each, and deadlines for clients that send or read too slowly.
 */

import { type AddressInfo, createServer, type Server, type Socket } from 'node:net';
import type { Logger } from 'pino';
import type { MegaphoneError } from '../errors.js';
import type { SocketService } from '../gateway/ports.js';
import type { Counters } from '../observe/counters.js';
import { LimitedLog } from '../observe/limited-log.js';
import { Upgrades } from '../websocket/upgrade.js';
import { AddressLimits } from './address-limits.js';
import type { BoshServerOptions } from './bosh-server-options.js';
import { TrustedProxies } from './client-address.js';
import type { CometEndpoint } from './comet/comet-front.js';
import { CometHall } from './comet/comet-hall.js';
import { Connection } from './connection.js';
import { Cors } from './cors.js';
import { Departure, type Leaver } from './departure.js';
import { type ConnectionLimits, connectionLimits, fileLimit } from './file-limit.js';
import type { BoshService, Front } from './front.js';
import { listen } from './listen.js';
import { Proofs } from './proofs.js';
import { Receiving } from './receiving.js';
import { keepAlive } from './response.js';
import { Room } from './room.js';
import { bodyTooLarge } from './routes.js';
import { seeOther } from './see-other.js';
import { TlsTerminator } from './tls-terminator.js';
import { Turns } from './turns.js';
import { attach } from './wire.js';

/** Whoever is connected, over whatever. */
interface Client extends Leaver {
  expire(): void;
}

export class BoshServer {
  readonly #server: Server;
  readonly #front: Front;
  readonly #room: Room<Client>;
  readonly #comet: CometHall | undefined;
  readonly #departure: Departure;
  readonly #clock: NodeJS.Timeout;
  /** Open connections that another process accepted. */
  #given = 0;
  #onAllClosed = (): void => {};
  /** All connections, and the port, from the moment when it begins to. */
  #closed: Promise<unknown> | undefined;
  /** One listener for all, as a connection is to cost little. */
  readonly #onGivenClosed = (): void => {
    this.#given -= 1;
    if (this.#given === 0) this.#onAllClosed();
  };
  readonly #log: Logger;
  readonly #tls: TlsTerminator | undefined;
  readonly #limited: LimitedLog;

  private constructor(
    service: BoshService,
    sockets: SocketService,
    options: BoshServerOptions,
    counters: Counters,
    log: Logger,
    comet: CometEndpoint | undefined,
  ) {
    this.#log = log;
    this.#limited = new LimitedLog(log);
    const { certificate } = options;
    const { served, refused, handshakes } = this.#limits(options.maxConnections, certificate !== undefined);
    this.#room = new Room(served, refused);
    this.#comet = comet && new CometHall(comet, options.corsOrigins, () => this.#front);
    this.#front = {
      service: this.#comet?.polls.beside(service) ?? service,
      sockets,
      comet: this.#comet,
      counters,
      upgrades: new Upgrades(options.corsOrigins),
      webSocketPaths: options.webSocketPaths,
      publicUrl: options.publicUrl,
      cors: new Cors(options.corsOrigins),
      proxies: new TrustedProxies(options.trustedProxies),
      limits: new AddressLimits(options, log),
      maxBody: options.maxBody,
      receiving: new Receiving(options.maxReceiving),
      tooLarge: bodyTooLarge(options.maxBody),
      keepAliveLines: keepAlive(options.keepAliveTimeout),
      headerTimeout: options.headerTimeout,
      requestTimeout: options.requestTimeout,
      keepAliveTimeout: options.keepAliveTimeout,
      pingInterval: options.pingInterval,
      seeOther: seeOther(options.seeOtherUri),
      isTls: certificate !== undefined,
      room: this.#room,
      turns: new Turns(),
      proofs: new Proofs(),
      now: Math.floor(process.uptime()),
      isStopping: false,
      isDraining: false,
    };
    this.#departure = new Departure(this.#front, this.#room.guests, options.drainTime);
    this.#tls =
      certificate &&
      new TlsTerminator(certificate, options.ticketKeys, handshakes, options.headerTimeout, {
        secured: (socket) => this.#begin(socket),
        failed: () => {
          counters.refused.handshake += 1;
        },
        evicted: (count) => this.#onEvictedHandshake(count),
      });
    this.#server = createServer({ noDelay: true }, (socket) => this.#accept(socket));
    // Each kind stays within its bound; one more is there until it has made room.
    this.#server.maxConnections = served + refused + handshakes + 1;
    this.#server.on('drop', () => this.#onDrop());
    this.#clock = setInterval(() => this.#tick(), 1000);
  }

  /** @throws MegaphoneError HTTP_LISTEN, HTTP_CERTIFICATE */
  static async listen(
    service: BoshService,
    sockets: SocketService,
    options: BoshServerOptions,
    counters: Counters,
    log: Logger,
    comet?: CometEndpoint,
  ): Promise<BoshServer> {
    const front = new BoshServer(service, sockets, options, counters, log, comet);
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

  /** When its certificate does, as OpenSSL writes it. */
  get certificateEnds(): string | undefined {
    return this.#tls?.certificateEnds;
  }

  get connections(): number {
    return this.#room.guests.size;
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
    if (this.#tls === undefined) return;
    try {
      this.#tls.reload();
      this.#log.info(`new connections get the certificate in ${this.#tls.files.cert}`);
    } catch (error) {
      this.#log.error({ err: error }, `the old certificate stays: ${(error as MegaphoneError).message}`);
    }
  }

  /** Clients are sent elsewhere, one after the other. Resolves when each has heard so. */
  release(): Promise<void> {
    return this.#departure.release();
  }

  /** Not any more. */
  keep(): void {
    this.#departure.keep();
  }

  /**
   * Takes no new connections, and ends the others with what is due on them. Resolves when all are closed, or after a second.
   * What is coming in has that long, and the gateway to answer.
   */
  finish(): Promise<void> {
    this.#closed ??= Promise.all([
      new Promise((resolve) => this.#server.close(resolve)),
      new Promise<void>((resolve) => {
        if (this.#given === 0) resolve();
        else this.#onAllClosed = resolve;
      }),
    ]);
    // A TLS handshake under way is no connection yet, and nobody's concern any more.
    return this.#departure.finish(this.#closed);
  }

  /** Resolves when all connections are closed: the gateway has to refuse what is held. */
  async close(): Promise<void> {
    if (this.#closed === undefined) await this.finish();
    await this.#departure.close(this.#closed ?? Promise.resolve());
    clearInterval(this.#clock);
  }

  #accept(socket: Socket): void {
    if (this.#tls === undefined) this.#begin(socket);
    else this.#tls.begin(socket, this.#front.now);
  }

  #begin(socket: Socket): void {
    this.#front.counters.opened += 1;
    if (this.#room.isFull) this.#logFull();
    attach(socket, new Connection(socket, this.#front));
  }

  #limits(maxConnections: number, isTls: boolean): ConnectionLimits {
    const limits = connectionLimits(maxConnections, isTls, fileLimit());
    const { served } = limits;
    if (served < maxConnections) {
      this.#log.warn(
        {
          code: 'HTTP_FILE_LIMIT',
          hint: 'raise the limit of open files (ulimit -n, LimitNOFILE of systemd)',
        },
        `max_connections is ${maxConnections}, but this process may open files for ${served} only`,
      );
    }
    return limits;
  }

  #onDrop(): void {
    this.#front.counters.refused.overload += 1;
    this.#logFull();
  }

  #onEvictedHandshake(count: number): void {
    this.#front.counters.refused.overload += 1;
    const text = `${count} TLS handshakes are under way, the oldest make room for new ones`;
    this.#limited.warn('HTTP_HANDSHAKES', { code: 'HTTP_HANDSHAKES' }, text);
  }

  #logFull(): void {
    const text = `${this.connections} connections are open, those without a request make room for new ones, or those are refused`;
    this.#limited.warn('HTTP_CONNECTIONS', { code: 'HTTP_CONNECTIONS' }, text);
  }

  #tick(): void {
    this.#front.now = Math.floor(process.uptime());
    for (const connection of this.#room.guests) connection.expire();
    this.#comet?.expire();
    this.#tls?.expire(this.#front.now - this.#front.headerTimeout);
  }
}
