/** A connection without a socket: what a client sends, reads and waits for is said by the test, and so is the time. */

import { pino } from 'pino';
import type { HttpExchange, HttpRequest } from '../../../src/gateway/ports.js';
import { AddressLimits } from '../../../src/http/address-limits.js';
import { TrustedProxies } from '../../../src/http/client-address.js';
import type { CometHall } from '../../../src/http/comet/comet-hall.js';
import type { StreamConnection } from '../../../src/http/comet/stream-connection.js';
import { Connection, type Phase } from '../../../src/http/connection.js';
import { Cors } from '../../../src/http/cors.js';
import type { Front } from '../../../src/http/front.js';
import { Proofs } from '../../../src/http/proofs.js';
import { Receiving } from '../../../src/http/receiving.js';
import { keepAlive } from '../../../src/http/response.js';
import { Room } from '../../../src/http/room.js';
import { bodyTooLarge } from '../../../src/http/routes.js';
import { Turns } from '../../../src/http/turns.js';
import type { WebSocketConnection } from '../../../src/http/websocket-connection.js';
import type { Wire } from '../../../src/http/wire.js';
import { Counters } from '../../../src/observe/counters.js';
import { Upgrades } from '../../../src/websocket/upgrade.js';
import { FakeSockets } from './fake-sockets.js';

export const MAX_BODY = 10;
export const HEADER_TIMEOUT = 10;
export const REQUEST_TIMEOUT = 30;
export const KEEP_ALIVE_TIMEOUT = 75;
export const PING_INTERVAL = 40;

/** Requests and their parts; `LARGE` is a body beyond the limit. */
export const HEAD = 'POST /bosh HTTP/1.1\r\nHost: x\r\n';
export const CLOSE = 'Connection: close\r\n';
export const CHUNKED = 'Transfer-Encoding: chunked\r\n\r\n';
export const BODY = '5\r\nhello\r\n0\r\n\r\n';
export const POST = HEAD + CHUNKED + BODY;
export const GET = 'GET /bosh HTTP/1.1\r\nHost: x\r\n\r\n';
export const lastOf = (request: string): string => request.replace('\r\n', `\r\n${CLOSE}`);
export const LARGE = `14\r\n${'x'.repeat(20)}\r\n0\r\n\r\n`;

/** The kernel takes all at once, or nothing while the client does not read. */
export class TestWire implements Wire {
  written = '';
  writableLength = 0;
  isRead = true;
  isPaused = false;
  isEnded = false;
  isDestroyed = false;
  #taken: (() => void)[] = [];

  write(bytes: Buffer, taken?: () => void): void {
    if (this.isEnded || this.isDestroyed) throw new Error('written behind the end');
    this.written += bytes.toString('latin1');
    if (!this.isRead) this.writableLength += bytes.length;
    if (taken !== undefined) this.#taken.push(taken);
    if (this.isRead) this.read();
  }

  /** The client reads all there is. */
  read(): void {
    this.isRead = true;
    this.writableLength = 0;
    for (const taken of this.#taken.splice(0)) taken();
  }

  end(): void {
    if (this.isEnded) throw new Error('ended twice');
    this.isEnded = true;
  }

  destroy(): void {
    this.isDestroyed = true;
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }
}

type Client = Connection | WebSocketConnection | StreamConnection;

export const fullRoom = (): Room<Client> => new Room(0, 10);

export class Machine {
  readonly wire = new TestWire();
  readonly connection: Connection;
  readonly front: Front;
  readonly room: Room<Client>;
  readonly sockets = new FakeSockets();
  /** Of requests that the gateway holds, by handle less one. */
  readonly exchanges: HttpExchange[] = [];
  readonly bodies: string[] = [];
  /** Handles whose clients went away. */
  readonly gone: number[] = [];
  /** Handles of those that were not to be held any longer. */
  readonly released: number[] = [];
  /** How many of them were answered: they are in order. */
  answered = 0;
  /** What is to be done at the next half second. */
  readonly ticks: (() => void)[] = [];
  #soon: (() => void)[] = [];

  /** @param now of the front's clock */
  constructor(room = new Room<Client>(10, 10), now = 1000, comet?: CometHall) {
    this.room = room;
    this.front = {
      service: {
        request: (exchange, request) => this.#request(exchange, request),
        closed: (handle) => this.gone.push(handle),
        release: (handle) => this.released.push(handle),
      },
      sockets: this.sockets,
      comet,
      counters: new Counters(),
      upgrades: new Upgrades(['*']),
      webSocketPaths: ['/ws'],
      publicUrl: '',
      cors: new Cors(['*']),
      proxies: new TrustedProxies([]),
      limits: new AddressLimits(
        {
          maxConnectionsPerAddress: 0,
          maxRequestsPerAddress: undefined,
          exemptNetworks: [],
          trustedProxies: [],
        },
        pino({ level: 'silent' }),
      ),
      maxBody: MAX_BODY,
      receiving: new Receiving(1_000_000),
      tooLarge: bodyTooLarge(MAX_BODY),
      keepAliveLines: keepAlive(KEEP_ALIVE_TIMEOUT),
      headerTimeout: HEADER_TIMEOUT,
      requestTimeout: REQUEST_TIMEOUT,
      keepAliveTimeout: KEEP_ALIVE_TIMEOUT,
      pingInterval: PING_INTERVAL,
      seeOther: undefined,
      isTls: false,
      room,
      turns: new Turns((next) => this.#soon.push(next)),
      proofs: new Proofs((next) => this.ticks.push(next), new Turns((next) => this.#soon.push(next))),
      now,
      isStopping: false,
      isDraining: false,
    };
    this.connection = new Connection(this.wire, this.front);
  }

  get phase(): Phase {
    return this.connection.phase;
  }

  /** Of all that were written, 100 Continue among them. */
  get statuses(): number[] {
    return [...this.wire.written.matchAll(/HTTP\/1\.1 (\d+)/g)].map(([, status]) => Number(status));
  }

  /** The client sends it, and it is read, even if the wire was closed meanwhile. */
  send(text: string): void {
    this.connection.receive(Buffer.from(text, 'latin1'));
  }

  /** The client reads all, and what waits for that goes on. */
  read(): void {
    this.wire.read();
    this.turn();
  }

  turn(): void {
    for (const next of this.#soon.splice(0)) next();
  }

  /** The gateway answers the oldest request that it has not answered. */
  answer(body = ''): void {
    this.exchanges[this.answered]?.answer(200, [], Buffer.from(body));
    this.answered = Math.min(this.answered + 1, this.exchanges.length);
  }

  answerAll(): void {
    while (this.answered < this.exchanges.length) this.answer();
  }

  wait(seconds: number): void {
    this.front.now += seconds;
    this.connection.expire();
  }

  stop(): void {
    this.front.isDraining = true;
    this.front.isStopping = true;
    this.connection.stop();
  }

  #request(exchange: HttpExchange, { body }: HttpRequest): number {
    this.bodies.push(body.toString('latin1'));
    return this.exchanges.push(exchange);
  }
}
