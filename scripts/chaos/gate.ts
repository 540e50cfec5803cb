/** Runs in a network namespace (namespace.ts): opens sockets there and hands them to its parent, which is outside. */

import { connect, createServer } from 'node:net';
import type { Opened, Wanted } from './namespace.js';

process.on('message', ({ id, port }: Wanted) => {
  if (port === undefined) {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const address = server.address();
      if (address === null || typeof address === 'string') throw new Error('no port');
      // The parent has it from now on: nobody knows the port yet who could connect in between.
      process.send?.({ id, port: address.port } satisfies Opened, server, () => server.close());
    });
    return;
  }
  const socket = connect({ host: '127.0.0.1', port });
  // What it brings is the parent's to read.
  socket.pause();
  socket.once('error', () => process.send?.({ id, port: 0 } satisfies Opened));
  socket.once('connect', () => process.send?.({ id, port } satisfies Opened, socket, () => {}));
});
process.once('disconnect', () => process.exit());
