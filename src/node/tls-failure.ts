/**
 * Why two nodes do not come together over TLS, told apart by what the operator has to mend:
 *
 *   HANDSHAKE_TLS_MISMATCH      one of the two speaks TLS and the other does not
 *   HANDSHAKE_TLS_CERTIFICATE   we do not believe the certificate that the other one shows
 *   HANDSHAKE_TLS_REFUSED       the other one does not believe ours
 *   HANDSHAKE_TLS_FAILED        the rest: no version or cipher in common
 */

import { checkServerIdentity, type TLSSocket } from 'node:tls';
import { parseNodeName } from '../distribution/names.js';
import { MegaphoneError } from '../errors.js';

/** Who it is, as far as that is known: of the node that connects to us only when it has said its name. */
export interface Peer {
  readonly node?: string;
}

const subject = ({ node }: Peer): string => node ?? 'The node that connects';

/** What OpenSSL calls bytes that are no TLS at all, in its several releases. */
const NO_TLS: ReadonlySet<string> = new Set([
  'ERR_SSL_WRONG_VERSION_NUMBER',
  'ERR_SSL_PACKET_LENGTH_TOO_LONG',
  'ERR_SSL_HTTP_REQUEST',
]);

/** RFC 8446, 6.2: alerts that speak of the certificate that their receiver showed. */
const ABOUT_CERTIFICATE = /^ERR_SSL_\w+_ALERT_(\w*CERTIFICATE\w*|UNKNOWN_CA|ACCESS_DENIED)$/;

/** @param error what ended the handshake of TLS, or the connection behind it */
export function tlsFailure(error: NodeJS.ErrnoException, peer: Peer): MegaphoneError {
  const { code = '' } = error;
  if (NO_TLS.has(code)) return speaksPlain(peer, error);
  if (ABOUT_CERTIFICATE.test(code)) return refused(peer, code.replace(/.*_ALERT_/, '').toLowerCase(), error);
  if (code.startsWith('ERR_SSL_')) {
    const what = code.replace('ERR_SSL_', '').toLowerCase().replaceAll('_', ' ');
    return new MegaphoneError(
      'HANDSHAKE_TLS_FAILED',
      `${subject(peer)} and this node do not agree on TLS: ${what}`,
      {
        ...peer,
        hint: 'Let both speak TLS 1.3 (versions in the ssl_dist options), or 1.2 with a cipher that both have.',
        cause: error,
      },
    );
  }
  return untrusted(
    peer,
    code === 'ERR_TLS_CERT_ALTNAME_INVALID' ? error.message : code || error.message,
    error,
  );
}

/** Whether it speaks of TLS, and not of the network. */
export const isOfTls = (error: Error | null): error is NodeJS.ErrnoException =>
  ((error as NodeJS.ErrnoException | null)?.code ?? '').startsWith('ERR_SSL_');

export function speaksPlain(peer: Peer, cause?: unknown): MegaphoneError {
  return new MegaphoneError(
    'HANDSHAKE_TLS_MISMATCH',
    `${subject(peer)} does not speak TLS, and this node does`,
    {
      ...peer,
      hint: 'Start that node with -proto_dist inet_tls, or leave distribution_tls_cert, _key and _ca away here.',
      ...(cause === undefined ? {} : { cause }),
    },
  );
}

export function speaksTls(peer: Peer, cause?: unknown): MegaphoneError {
  return new MegaphoneError('HANDSHAKE_TLS_MISMATCH', `${subject(peer)} speaks TLS, and this node does not`, {
    ...peer,
    hint: 'Set distribution_tls_cert, _key and _ca here, or start that node without -proto_dist inet_tls.',
    ...(cause === undefined ? {} : { cause }),
  });
}

export function refused(peer: Peer, why: string, cause?: unknown): MegaphoneError {
  return new MegaphoneError(
    'HANDSHAKE_TLS_REFUSED',
    `${subject(peer)} does not accept the certificate of this node: ${why}`,
    {
      ...peer,
      hint: 'cacertfile there must hold the root of distribution_tls_cert here; that must be valid, and for a host that its net_kernel:allow/1 names.',
      ...(cause === undefined ? {} : { cause }),
    },
  );
}

/** Throws where the certificate of the one that connected to us is none of ours. */
export function verifyRoot(socket: TLSSocket): void {
  if (socket.authorized) return;
  const { subject: shown } = socket.getPeerCertificate();
  throw untrusted({}, shown === undefined ? 'it shows none' : `${socket.authorizationError}`);
}

/** Throws where its certificate is not that of the host it claims to be on. */
export function verifyHost(socket: TLSSocket, node: string): void {
  const error = checkServerIdentity(parseNodeName(node).host, socket.getPeerCertificate());
  if (error !== undefined) throw untrusted({ node }, error.message, error);
}

function untrusted(peer: Peer, why: string, cause?: unknown): MegaphoneError {
  return new MegaphoneError(
    'HANDSHAKE_TLS_CERTIFICATE',
    `The certificate of ${peer.node ?? 'the node that connects'} is not accepted: ${why}`,
    {
      ...peer,
      hint: 'It must lead to a root in distribution_tls_ca, be valid now, and name the host behind the @ (subjectAltName).',
      ...(cause === undefined ? {} : { cause }),
    },
  );
}
