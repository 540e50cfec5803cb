/** Where a member of the cluster is: its loopback, and how its commands are run there. */

import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';

export interface Place {
  /** On a port of its loopback. */
  listen(): Promise<{ readonly server: Server; readonly port: number }>;
  /** To a port of its loopback. It is paused. @throws Error where nobody listens */
  connect(port: number): Promise<Socket>;
  /** What comes before a command, so that it runs there. */
  readonly prefix: readonly string[];
  close(): void;
}

/** This machine's own. */
export const here: Place = {
  async listen() {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return { server, port: (server.address() as AddressInfo).port };
  },
  async connect(port) {
    const socket = connect({ host: '127.0.0.1', port });
    socket.pause();
    await once(socket, 'connect');
    return socket;
  },
  prefix: [],
  close() {},
};
