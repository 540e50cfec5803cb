/** Listening sockets, with errors that say what to do. */

import type { Server } from 'node:net';
import { MegaphoneError } from '../errors.js';

const HINTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'another program listens there: stop it, or choose another port',
  EADDRNOTAVAIL: 'this machine has no such address: name one of its own, or 0.0.0.0 for all of IPv4',
  EAFNOSUPPORT: 'this machine has no IPv6: name an IPv4 address, or 0.0.0.0 for all',
  EACCES: 'ports below 1024 need a privilege: choose another port, or put a proxy in front',
};

/** Resolves when `server` listens. @throws MegaphoneError HTTP_LISTEN */
export function listen(server: Server, ip: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException): void => {
      const hint = HINTS[cause.code ?? ''];
      const message = `cannot listen on ${ip} port ${port}: ${cause.code ?? cause.message}`;
      reject(new MegaphoneError('HTTP_LISTEN', message, { cause, ...(hint === undefined ? {} : { hint }) }));
    };
    server.once('error', fail);
    server.listen({ host: ip, port, backlog: 4096 }, () => {
      server.off('error', fail);
      resolve();
    });
  });
}
