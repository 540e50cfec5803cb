/** What all connections of web clients share: settings, the gateway behind it, and the clock. */

import type { HttpExchange, HttpRequest, SocketService } from '../gateway/ports.js';
import type { Counters } from '../observe/counters.js';
import type { Upgrades } from '../websocket/upgrade.js';
import type { AddressLimits } from './address-limits.js';
import type { TrustedProxies } from './client-address.js';
import type { CometFront } from './comet/comet-front.js';
import type { Cors } from './cors.js';
import type { Proofs } from './proofs.js';
import type { Receiving } from './receiving.js';
import type { Reply } from './response.js';
import type { Guest, Room } from './room.js';
import type { Turns } from './turns.js';

/** The gateway, as the HTTP front sees it. */
export interface BoshService {
  /** A handle for `closed`, or 0 where the exchange is already answered. */
  request(exchange: HttpExchange, request: HttpRequest): number;
  closed(handle: number): void;
  /** What is held is to be answered now: its client is to go elsewhere. */
  release(handle: number): void;
}

/** What has no deadline. */
export const NEVER = 2 ** 30;
/** Seconds that a client has to close its end after ours: its last bytes must not reset what it reads (RFC 9112 §9.6). */
export const LINGER = 2;
/** Seconds that whoever is asked has to let a client in. */
export const ANSWER_TIME = 30;

/** The end of so many seconds: its clock may be one behind. */
export const after = ({ now }: Pick<Front, 'now'>, seconds: number, since = now): number =>
  since + Math.ceil(seconds) + 1;

/** Times are in seconds. */
export interface Front {
  readonly service: BoshService;
  readonly sockets: SocketService;
  /** `undefined`: nothing of it is there. */
  readonly comet: CometFront | undefined;
  readonly counters: Counters;
  readonly cors: Cors;
  readonly upgrades: Upgrades;
  readonly webSocketPaths: readonly string[];
  /** Where clients find it, without a slash at the end; empty: what they call it themselves. */
  readonly publicUrl: string;
  readonly proxies: TrustedProxies;
  readonly limits: AddressLimits;
  /** Bytes of a request's body. */
  readonly maxBody: number;
  readonly receiving: Receiving;
  readonly tooLarge: Reply;
  /** The header lines of an answer after which the connection goes on. */
  readonly keepAliveLines: string;
  readonly headerTimeout: number;
  readonly requestTimeout: number;
  readonly keepAliveTimeout: number;
  /** Between two Pings of a WebSocket. */
  readonly pingInterval: number;
  /** What a WebSocket hears before it is closed because this stops. */
  readonly seeOther: Buffer | undefined;
  readonly isTls: boolean;
  readonly room: Room<Guest>;
  readonly turns: Turns;
  readonly proofs: Proofs;
  /** A coarse clock that never runs backwards. */
  now: number;
  /** Clients are sent elsewhere: each request from now on is the last one of its connection, and no WebSocket is opened. */
  isDraining: boolean;
  /** And none is held any more. */
  isStopping: boolean;
}
