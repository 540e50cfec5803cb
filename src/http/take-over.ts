/** Requests whose connection becomes another one: a WebSocket, or a stream of events. */

import type { SocketService } from '../gateway/ports.js';
import { FORWARDED } from './address-limits.js';
import { corsLines } from './cors-lines.js';
import type { Front } from './front.js';
import type { Incoming } from './incoming.js';
import { BEHIND_OTHERS, hasBody, TOO_MANY_OPEN, WITH_BODY } from './replies.js';
import type { Reply } from './response.js';
import type { Guest } from './room.js';
import { WebSocketConnection } from './websocket-connection.js';
import { relay, type SocketListener, type Wire } from './wire.js';

/** From here on nothing of the connection is needed any more. */
export interface Takeover {
  /** @param rest what came behind the request */
  take(connection: SocketListener, wire: Wire, front: Front, request: Incoming, rest: Buffer): void;
}

/** @param isDue an answer to an earlier request is to come */
export function whyNotTaken(request: Incoming, { limits }: Front, isDue: boolean): Reply | undefined {
  if (isDue) return BEHIND_OTHERS;
  if (hasBody(request.parser)) return WITH_BODY;
  const hasRoom = request.address !== FORWARDED || limits.hasRoom(limits.ofClient(request.client));
  return hasRoom ? undefined : TOO_MANY_OPEN;
}

/** @param make the one that it becomes, of that address */
export function takeOver<G extends Guest & SocketListener>(
  connection: SocketListener,
  wire: Wire,
  { limits, room }: Front,
  request: Incoming,
  make: (address: string) => G,
): G {
  // Behind a proxy this is one client's from now on.
  const address = request.address === FORWARDED ? limits.ofClient(request.client) : request.address;
  const successor = make(address);
  connection.closed();
  limits.enter(address);
  room.succeed(successor);
  relay(wire, successor);
  return successor;
}

/**
 * @param switching what its client hears if it is granted
 * @param service who serves it
 */
export const openWebSocket = (switching: Buffer, service: SocketService): Takeover => ({
  take(connection, wire, front, request, rest) {
    const upgrade = { switching, lines: corsLines(request.parser, front) };
    const make = (address: string) => new WebSocketConnection(wire, front, service, address, upgrade);
    takeOver(connection, wire, front, request, make).ask(request.client, rest);
  },
});
