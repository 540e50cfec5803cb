/** TLS over connections that were made to us. */

import type { Socket } from 'node:net';
import { createServer, type Server, type TLSSocket } from 'node:tls';
import type { MegaphoneError } from '../errors.js';
import { closed, timedOut } from './handshake-carrier.js';
import type { TlsCredentials } from './tls-credentials.js';
import { tlsFailure, verifyRoot } from './tls-failure.js';

export class TlsServer {
  readonly #credentials: TlsCredentials;
  /** It does not listen: it is handed connections. */
  readonly #server: Server;
  #options: TlsCredentials['options'];
  /** By address and port, for node:tls tells of the end of a handshake by a socket that it made. */
  readonly #underWay = new Map<string, (outcome: TLSSocket | MegaphoneError) => void>();

  /** @param timeoutMs for one handshake */
  constructor(credentials: TlsCredentials, timeoutMs: number) {
    this.#credentials = credentials;
    this.#options = credentials.options;
    // Who is not authorized is let through to `verifyRoot`, which can tell why.
    const manners = { handshakeTimeout: timeoutMs, requestCert: true, rejectUnauthorized: false };
    this.#server = createServer({ ...this.#options, ...manners });
    this.#server.on('secureConnection', (secured) => this.#underWay.get(placeOf(secured))?.(secured));
    this.#server.on('tlsClientError', (error: NodeJS.ErrnoException, secured) =>
      this.#underWay.get(placeOf(secured))?.(failure(error, timeoutMs)),
    );
  }

  /**
   * Resolves when the peer has shown a certificate that leads to a root of ours. When it fails, the socket is closed.
   * @throws MegaphoneError HANDSHAKE_TLS_…, HANDSHAKE_CLOSED, HANDSHAKE_TIMEOUT
   */
  secure(socket: Socket): Promise<TLSSocket> {
    if (this.#options !== this.#credentials.options) {
      this.#options = this.#credentials.options;
      this.#server.setSecureContext(this.#options);
    }
    const place = placeOf(socket);
    return new Promise<TLSSocket>((resolve, reject) => {
      const settle = (outcome: TLSSocket | MegaphoneError): void => {
        socket.off('close', onClose);
        this.#underWay.delete(place);
        if (!(outcome instanceof Error)) {
          resolve(outcome);
          return;
        }
        // node:tls leaves it open where a handshake takes too long.
        socket.destroy();
        reject(outcome);
      };
      const onClose = (): void => settle(closed(socket.errored));
      socket.on('close', onClose);
      this.#underWay.set(place, settle);
      this.#server.emit('connection', socket);
    }).then((secured) => {
      // node:tls only tells of what comes later: alerts, and a client that renegotiates too often. Then 'close' follows.
      secured.on('error', (error) => secured.destroy(error));
      try {
        verifyRoot(secured);
        return secured;
      } catch (error) {
        secured.destroy();
        throw error;
      }
    });
  }
}

function failure(error: NodeJS.ErrnoException, timeoutMs: number): MegaphoneError {
  if (error.code === 'ERR_TLS_HANDSHAKE_TIMEOUT') return timedOut(timeoutMs);
  return error.code === 'ECONNRESET' ? closed(error) : tlsFailure(error, {});
}

const placeOf = ({ remoteAddress, remotePort }: Socket): string => `${remoteAddress} ${remotePort}`;
