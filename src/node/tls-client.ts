/** TLS over a connection that we made, as OTP's inet_tls_dist has it: at once, before the first byte of Erlang's. */

import { isIP, type Socket } from 'node:net';
import { checkServerIdentity, connect, type TLSSocket } from 'node:tls';
import { parseNodeName } from '../distribution/names.js';
import { closed, timedOut } from './handshake-carrier.js';
import type { TlsCredentials } from './tls-credentials.js';
import { tlsFailure } from './tls-failure.js';

/**
 * Resolves when the peer has proved to be on the host that its name says. Whether it believes us, we hear under
 * TLS 1.3 only behind this. When it fails, the socket is closed.
 * @throws MegaphoneError HANDSHAKE_TLS_…, HANDSHAKE_CLOSED, HANDSHAKE_TIMEOUT
 */
export function secureAsClient(
  socket: Socket,
  node: string,
  credentials: TlsCredentials,
  timeoutMs: number,
): Promise<TLSSocket> {
  const { host } = parseNodeName(node);
  const secured = connect({
    socket,
    secureContext: credentials.context,
    rejectUnauthorized: true,
    // RFC 6066, 3: a literal address is no server name.
    ...(isIP(host) === 0 ? { servername: host } : {}),
    checkServerIdentity: (_, certificate) => checkServerIdentity(host, certificate),
  });
  return new Promise((resolve, reject) => {
    const fail = (error: Error, cause?: Error): void => {
      clearTimeout(timer);
      secured.destroy(cause);
      reject(error);
    };
    const timer = setTimeout(() => fail(timedOut(timeoutMs)), timeoutMs);
    // Stays for the life of the socket: node:tls only tells of an alert that comes later. Then 'close' follows.
    secured.on('error', (error: NodeJS.ErrnoException) => {
      const isOfNetwork = error.syscall !== undefined || error.code === 'ECONNRESET';
      fail(isOfNetwork ? closed(error) : tlsFailure(error, { node }), error);
    });
    const onClose = (): void => fail(closed(secured.errored ?? socket.errored));
    secured.once('close', onClose);
    secured.once('secureConnect', () => {
      clearTimeout(timer);
      secured.off('close', onClose);
      resolve(secured);
    });
  });
}
