/** A request that opens a WebSocket: where its connection becomes another one. */

import { FORWARDED } from './address-limits.js';
import type { Front } from './front.js';
import type { Incoming } from './incoming.js';
import { corsLines } from './routes.js';
import { WebSocketConnection } from './websocket-connection.js';
import { relay, type SocketListener, type Wire } from './wire.js';

/**
 * From here on nothing of the connection is needed any more.
 * @param switching what its client hears if the gateway grants it
 * @param rest what came behind the request
 */
export function openWebSocket(
  connection: SocketListener,
  wire: Wire,
  front: Front,
  { parser, client, address: ofConnection }: Incoming,
  switching: Buffer,
  rest: Buffer,
): void {
  // Behind a proxy this is one client's from now on.
  const address = ofConnection === FORWARDED ? front.limits.ofClient(client) : ofConnection;
  const socket = new WebSocketConnection(wire, front, address, {
    switching,
    lines: corsLines(parser, front),
  });
  connection.closed();
  front.limits.enter(address);
  front.room.succeed(socket);
  relay(wire, socket);
  socket.ask(client, rest);
}
