/**
 * What the gateway counts since it started. Plain numbers: counting is one addition on the hot path. The names of
 * groups' members are those of the statistics and metrics.
 */

import { CometCounters } from './comet-counters.js';
import { Histogram } from './histogram.js';
import { TurnClock } from './turn-clock.js';

export class Counters {
  /** Connections of web clients that were taken. */
  opened = 0;
  requests = 0;
  /** Bytes of HTTP bodies. */
  bytesIn = 0;
  bytesOut = 0;
  /** Answers of ejabberd given to clients, by class of their status. */
  readonly answers = { '2xx': 0, '3xx': 0, '4xx': 0, '5xx': 0 };
  /** Clients that went away before their answer. */
  closed = 0;
  /** Exchanges and upgrades that nobody answered in time (504). */
  timeouts = 0;
  /** Messages to a ConnId, or to `megaphone`, that answered nothing; as malformed whatever a node sent that nobody can use. */
  readonly dropped = { stale: 0, unknown_shape: 0, malformed: 0 };
  /** Connections of other nodes, or of strangers, to the distribution port that came to nothing. */
  refusedHandshakes = 0;
  /** Single headers of answers left out because they are not allowed. */
  refusedHeaders = 0;
  /** Requests the gateway answered itself. */
  readonly refused = {
    /** More exchanges or connections than configured, or more bytes than a node reads (503). */
    overload: 0,
    /** The node has more requests than it takes: a new session, or one request too many that waits (503). */
    busy: 0,
    /** No node takes new sessions: too many have not logged in, or it runs short of processes or memory (503). */
    full: 0,
    /** No node in service (503). */
    no_node: 0,
    /** The connection to the node was lost (503). */
    node_lost: 0,
    /** The gateway is stopping (503). */
    stopping: 0,
    /** A sid of no configured node (item-not-found). */
    unknown_sid: 0,
    /** The slowest of those that were coming in, which took `max_receiving` together (503). */
    receiving: 0,
    /** Larger than `max_body` (413). */
    too_large: 0,
    /** A browser would show the answer as a page (403). */
    navigation: 0,
    /** No method of the endpoint (405). */
    method: 0,
    /** A WebSocket for a page of an origin that is not allowed (403). */
    origin: 0,
    /** What opens no WebSocket, on the path of those (400, 426). */
    upgrade: 0,
    /** No endpoint (404). */
    path: 0,
    /** What the parser of HTTP takes for no request, or for one that nobody here understands (400, 417, 501, 505). */
    malformed: 0,
    /** Headers larger than a request may have (431). */
    headers: 0,
    /** More connections of one address than it may have (429). */
    connections_of_address: 0,
    /** More requests of one address than it may send (429; 503 where that would end a session). */
    requests_of_address: 0,
    /** Sessions from an address of which too many logins failed (429). */
    failed_logins: 0,
    /** Sessions from an address that ejabberd banned (429). */
    banned: 0,
    /** A page that may not listen to what it asked for (401, 403, or what who was asked says). */
    not_admitted: 0,
    /** A TLS handshake that came to nothing: no answer, the connection was closed. */
    handshake: 0,
  };
  readonly clock = new TurnClock();
  /** Until ejabberd's answer: to a request that starts a session, to one of a session, to one that asks for a WebSocket. */
  readonly latency = { session: new Histogram(), request: new Histogram(), websocket: new Histogram() };

  /** WebSockets whose upgrade was granted, their text frames, the bytes of these, and clients that were cut. */
  readonly websocket = {
    opened: 0,
    frames_in: 0,
    frames_out: 0,
    bytes_in: 0,
    bytes_out: 0,
    ping_timeouts: 0,
    slow_readers: 0,
  };
  /** Those that ended, by close code (RFC 6455 §7.4): the usual ones, and all others together. */
  readonly websocketClosed: Record<string, number> = {
    '1000': 0,
    '1001': 0,
    '1002': 0,
    '1005': 0,
    '1006': 0,
    '1007': 0,
    '1008': 0,
    '1009': 0,
    '1011': 0,
    '1012': 0,
    '1013': 0,
    other: 0,
  };

  readonly comet = new CometCounters();
  /** From outside (`megaphone cat`, `lines_port`). */
  readonly lines = { said: 0, failed: 0 };

  countClose(code: number): void {
    const closed = this.websocketClosed;
    const key = String(code) in closed ? String(code) : 'other';
    closed[key] = (closed[key] ?? 0) + 1;
  }

  countAnswer(status: number): void {
    if (status < 300) this.answers['2xx'] += 1;
    else if (status < 400) this.answers['3xx'] += 1;
    else if (status < 500) this.answers['4xx'] += 1;
    else this.answers['5xx'] += 1;
  }
}
