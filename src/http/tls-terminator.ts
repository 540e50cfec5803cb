/**
 * TLS in front of HTTP: connections come in as they were accepted, and go on decrypted.
 *
 * node:tls is given each with its first bytes in hand, not before. The buffer into which it reads is then as large as they are
 * (1 kB at least), and 16 kB more are there once that was full; where it reads them itself that has the 64 kB that libuv asks for.
 * It is kept for as long as the connection lives, and each page of it that was ever used stays resident.
 */

import { constants, randomBytes, X509Certificate } from 'node:crypto';
import type { Socket } from 'node:net';
import * as tls from 'node:tls';
import { type CertificateFiles, loadCertificate, TICKET_KEYS } from './certificate.js';
import { Handshakes } from './handshakes.js';

interface Listener {
  /** Requests may come. */
  secured(socket: tls.TLSSocket): void;
  /** It ended before its handshake did. */
  failed(): void;
  /** The oldest of so many handshakes made room. */
  evicted(handshakes: number): void;
}

export class TlsTerminator {
  /** When the certificate in use ends, as OpenSSL writes it. */
  certificateEnds = '';
  readonly files: CertificateFiles;
  readonly #ticketKeys: Buffer;
  readonly #server: tls.Server;
  readonly #handshakes: Handshakes;
  /** One for all, as a connection is to cost little. */
  readonly #onFirstBytes: (this: Socket) => void;

  /** @throws MegaphoneError HTTP_CERTIFICATE */
  constructor(
    files: CertificateFiles,
    ticketKeys: Buffer | undefined,
    maxHandshakes: number,
    /** Seconds. `expire` ends those that take longer; node:tls does so, too, from the first byte on. */
    handshakeTimeout: number,
    listener: Listener,
  ) {
    this.files = files;
    this.#ticketKeys = ticketKeys ?? randomBytes(TICKET_KEYS);
    const handshakes = new Handshakes(
      maxHandshakes,
      () => listener.failed(),
      () => listener.evicted(handshakes.size),
    );
    this.#handshakes = handshakes;
    const manners = { ALPNCallback: chooseProtocol, handshakeTimeout: handshakeTimeout * 1000 };
    const server = tls.createServer({ ...this.#context(), ...manners }, (socket) => {
      handshakes.end(socket);
      listener.secured(socket);
    });
    // Node.js leaves them open, be the handshake malformed or too slow.
    server.on('tlsClientError', (_, socket) => socket.destroy());
    this.#server = server;
    this.#onFirstBytes = function onFirstBytes(): void {
      this.off('error', ignore);
      // Or it ended without any.
      if (this.readableLength === 0) this.destroy();
      else server.emit('connection', this);
    };
  }

  /** @param now in seconds of any clock */
  begin(socket: Socket, now: number): void {
    this.#handshakes.begin(socket, now);
    socket.on('error', ignore);
    socket.once('readable', this.#onFirstBytes);
  }

  /** Ends the handshakes that began before. */
  expire(before: number): void {
    this.#handshakes.expire(before);
  }

  /** Uses what the files hold now. @throws MegaphoneError HTTP_CERTIFICATE: the old one stays */
  reload(): void {
    this.#server.setSecureContext(this.#context());
  }

  /** A session is taken up again whichever process began it, and whichever certificate it had then. */
  #context(): tls.SecureContextOptions {
    const certificate = loadCertificate(this.files);
    this.certificateEnds = new X509Certificate(certificate.cert).validTo;
    return {
      ...certificate,
      ticketKeys: this.#ticketKeys,
      sessionIdContext: 'megaphone',
      // Each costs a handshake, on a connection that no limit of connections meets; no client of today asks for it.
      secureOptions: constants.SSL_OP_NO_RENEGOTIATION,
    };
  }
}

/** Instead of a list, of which each connection would keep a copy. Others are told that there is none. */
const chooseProtocol = ({ protocols }: { readonly protocols: readonly string[] }): string | undefined =>
  protocols.includes('http/1.1') ? 'http/1.1' : undefined;

/** A client that goes away; `close` follows. */
function ignore(): void {}
