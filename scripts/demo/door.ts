/**
 * One port for two: a connection that asks for the demo is the site's, any other is handed to the gateway as it came, unread.
 * The site ends each connection with its answer; a browser that asks for the demo on one of the gateway's, kept alive, is hung
 * up on, and asks again on a new one (RFC 9112 §9.3.1).
 */

import type { Server as Site } from 'node:http';
import { createServer, type Server, type Socket } from 'node:net';
import { listen } from '../../src/http/listen.js';
import { PREFIX } from './site.js';

/** Milliseconds until the first byte. */
const PATIENCE_MS = 20_000;
const ASKS_FOR_DEMO = new RegExp(`^(?:GET|HEAD) ${PREFIX}[/? ]`);

interface Place {
  readonly http_ip: string;
  readonly http_port: number;
}

/** @throws MegaphoneError HTTP_LISTEN */
export async function openDoor(
  { http_ip, http_port }: Place,
  site: Site,
  serve: (socket: Socket) => void,
): Promise<Server> {
  const door = createServer({ noDelay: true }, (socket) => {
    const hangUp = (): unknown => socket.destroy();
    socket.on('error', hangUp);
    socket.setTimeout(PATIENCE_MS, hangUp);
    socket.once('data', (first: Buffer) => {
      socket.setTimeout(0);
      socket.off('timeout', hangUp);
      socket.pause();
      socket.unshift(first);
      if (asksForDemo(first)) site.emit('connection', socket);
      else {
        socket.on('data', (bytes: Buffer) => asksForDemo(bytes) && hangUp());
        serve(socket);
      }
      socket.resume();
    });
  });
  await listen(door, http_ip, http_port);
  return door;
}

const asksForDemo = (bytes: Buffer): boolean => ASKS_FOR_DEMO.test(bytes.toString('latin1', 0, 32));
