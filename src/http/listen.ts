/** Listening sockets, with errors that say what to do. */

import type { Server } from 'node:net';
import { MegaphoneError } from '../errors.js';
import { listenHint } from '../listen-hint.js';

/** Resolves when `server` listens. @throws MegaphoneError HTTP_LISTEN */
export function listen(server: Server, ip: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: NodeJS.ErrnoException): void => {
      const hint = listenHint(cause);
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
