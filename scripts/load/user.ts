/** A user of the load generator, however connected: what the crowd asks of one, and what one tells the crowd. */

import type { Target } from './client-socket.js';
import type { Mark } from './stanzas.js';

export const TRANSPORTS = ['bosh', 'websocket'] as const;
export type Transport = (typeof TRANSPORTS)[number];

/** Where users log in, and how long their requests may be held. */
export interface Service {
  readonly target: Target;
  /** The virtual host. */
  readonly host: string;
  /** Seconds. */
  readonly wait: number;
  /** Seconds behind `wait` after which an answer is not awaited any more. */
  readonly overdue?: number;
}

export interface User {
  /** Full JID, once online. */
  readonly jid: string;
  /** Requests or frames sent, repeats included. */
  readonly requests: number;
  readonly isOnline: boolean;
  /** Resolves when it is online or has failed. */
  login(): Promise<void>;
  send(stanza: string): void;
  /** Resolves when the session is over. */
  logout(): Promise<void>;
  /** To be called every second or so: gives up what is overdue. */
  sweep(now: number): void;
}

export interface UserListener {
  online(): void;
  /** The server puts the login off. */
  refused(): void;
  /** Messages have arrived. */
  arrived(marks: readonly Mark[]): void;
  /** The same ones later, if need be: when they are next in the order of their requests. */
  ordered(marks: readonly Mark[]): void;
  /** The server has this: the request or stanzas that it was sent in. */
  accepted?(text: string): void;
  /** A request is to be repeated, because of this. */
  broken(reason: string): void;
  /** The session is over. `reason` is undefined where the user logged out. */
  ended(wasOnline: boolean, reason: string | undefined): void;
}

/** The first repeat comes after about this, each further one after twice the time. */
const REPEAT_MS = 250;
const MAX_REPEAT_MS = 4_000;
/** What fails for longer ends the session. */
export const PATIENCE_MS = 120_000;
/** An answer that does not come this long after the server's `wait` is not awaited any more. */
export const OVERDUE_SECONDS = 30;
/** One that a server closes just as it is used again is no failure: the request goes on another at once, as browsers do it. */
export const JUST_CLOSED_MS = 250;

/**
 * Milliseconds until a request is repeated. Not all users come at the same moment.
 * @param retryAfter seconds, where the server told
 */
export function repeatDelay(repeats: number, retryAfter: number | undefined): number {
  const pause =
    retryAfter === undefined
      ? Math.min(REPEAT_MS * 2 ** repeats, MAX_REPEAT_MS)
      : Math.min(retryAfter * 1000, PATIENCE_MS);
  return pause * (1 + Math.random());
}
