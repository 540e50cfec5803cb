/** Servers that are no gateway. */

import type { AddressInfo, Server } from 'node:net';
import { happens } from '../../support/until.js';

/** Listens on this machine, on a free port. */
export async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await happens(server, 'listening');
  return (server.address() as AddressInfo).port;
}
