/** What all connections of a BOSH endpoint share: settings, the gateway behind it, and the clock. */

import type { HttpExchange, HttpRequest } from '../gateway/ports.js';
import type { Counters } from '../observe/counters.js';
import type { TrustedProxies } from './client-address.js';
import type { Cors } from './cors.js';
import type { Receiving } from './receiving.js';
import type { Guest, Room } from './room.js';
import type { Reply } from './routes.js';
import type { Turns } from './turns.js';

/** The gateway, as the HTTP front sees it. */
export interface BoshService {
  /** A handle for `closed`, or 0 where the exchange is already answered. */
  request(exchange: HttpExchange, request: HttpRequest): number;
  closed(handle: number): void;
}

/** Times are in seconds. */
export interface Front {
  readonly service: BoshService;
  readonly counters: Counters;
  readonly cors: Cors;
  readonly proxies: TrustedProxies;
  /** Bytes of a request's body. */
  readonly maxBody: number;
  readonly receiving: Receiving;
  readonly tooLarge: Reply;
  /** The header lines of an answer after which the connection goes on. */
  readonly keepAliveLines: string;
  readonly headerTimeout: number;
  readonly requestTimeout: number;
  readonly keepAliveTimeout: number;
  readonly isTls: boolean;
  readonly room: Room<Guest>;
  readonly turns: Turns;
  /** A coarse clock that never runs backwards. */
  now: number;
  /** Each request from now on is the last one of its connection. */
  isStopping: boolean;
}
