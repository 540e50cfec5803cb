/** What an operator, or a test, can say of the endpoints. */

import type { AddressLimitOptions } from './address-limits.js';
import type { CertificateFiles } from './certificate.js';

export interface BoshServerOptions extends AddressLimitOptions {
  readonly ip: string;
  /** 0 picks a free one; `undefined`: another process accepts the connections, for `serve`. */
  readonly port: number | undefined;
  readonly corsOrigins: readonly string[];
  /** None: there are no WebSockets. */
  readonly webSocketPaths: readonly string[];
  readonly publicUrl: string;
  /** Where WebSockets are to go when this stops; empty: anywhere. */
  readonly seeOtherUri: string;
  /** Seconds over which those are closed then. */
  readonly drainTime: number;
  /** Seconds between two Pings of a WebSocket. */
  readonly pingInterval: number;
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
