/**
 * The least that a process of Node.js can do for listeners: keeps the sockets of all who ask for anything, and writes what is published, as one buffer,
 * to all of them. No ids, no places, no limits. `bare-server.js PORT`
 */

import { createServer, type Socket } from 'node:net';

const HEAD = Buffer.from('HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n');
const PUBLISHED = Buffer.from('HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n');
const CONTENT = /"content":("(?:[^"\\]|\\.)*")/g;

function serve(port: number): void {
  const listeners = new Set<Socket>();
  const server = createServer({ noDelay: true }, (socket) => {
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      if (bytes[0] === 'G'.charCodeAt(0)) {
        listeners.add(socket);
        socket.write(HEAD);
        return;
      }
      for (const [, json = '""'] of bytes.toString('latin1').matchAll(CONTENT)) {
        const event = Buffer.from(JSON.parse(json) as string, 'latin1');
        for (const listener of listeners) listener.write(event);
      }
      socket.write(PUBLISHED);
    });
    socket.on('close', () => listeners.delete(socket));
  });
  server.listen({ host: '127.0.0.1', port, backlog: 4096 });
}

serve(Number(process.argv[2]));
