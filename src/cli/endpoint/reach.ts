/** The way to a server below HTTP: DNS, TCP, TLS. */

import { once } from 'node:events';
import { connect as connectTcp, type Socket } from 'node:net';
import { connect as connectTls, TLSSocket } from 'node:tls';
import { ofConnection } from './trouble.js';

/** The address, and what a certificate says of itself. */
export async function reach(url: URL, signal: AbortSignal): Promise<string> {
  const isSecure = url.protocol === 'https:' || url.protocol === 'wss:';
  const host = url.hostname.replace(/^\[|\]$/g, '');
  const port = Number(url.port) || (isSecure ? 443 : 80);
  const socket: Socket = isSecure
    ? connectTls({ host, port, servername: host, ALPNProtocols: ['http/1.1'] })
    : connectTcp({ host, port });
  try {
    await once(socket, isSecure ? 'secureConnect' : 'connect', { signal });
    const at = `${socket.remoteAddress} port ${port}`;
    if (!(socket instanceof TLSSocket)) return at;
    const { valid_to } = socket.getPeerCertificate();
    return `${at}, ${socket.getProtocol()}, certificate valid until ${new Date(valid_to).toISOString().slice(0, 10)}`;
  } catch (error) {
    throw ofConnection(error);
  } finally {
    socket.destroy();
  }
}
