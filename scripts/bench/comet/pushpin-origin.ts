/** The server behind Pushpin: whoever asks for a path may listen to what it names. */

import { once } from 'node:events';
import { type AddressInfo, createServer } from 'node:net';
import { serve } from '../../load/child.js';

export interface Commands {
  /** Returns the port. */
  listen(): Promise<number>;
}

const PATH = /^GET \/(\S+) /gm;

const server = createServer((socket) => {
  socket.on('error', () => {});
  socket.on('data', (bytes) => {
    for (const [, id = ''] of bytes.toString('latin1').matchAll(PATH)) {
      socket.write(
        `HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nGrip-Hold: stream\r\nGrip-Channel: ${id}\r\nContent-Length: 0\r\n\r\n`,
      );
    }
  });
});

const commands: Commands = {
  listen: async () => {
    server.listen({ host: '127.0.0.1', port: 0, backlog: 4096 });
    await once(server, 'listening');
    return (server.address() as AddressInfo).port;
  },
};

serve(commands);
