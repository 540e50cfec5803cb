/** The certificate of the endpoint where it speaks HTTPS itself: read from two files, and again when they change. */

import { createSecureContext } from 'node:tls';
import { MegaphoneError } from '../errors.js';
import { readRegularFile } from '../regular-file.js';

/** Names of two files in PEM. */
export interface CertificateFiles {
  /** The certificate, and behind it those that lead to a root that clients know. */
  readonly cert: string;
  readonly key: string;
}

/** Bytes of the keys that encrypt what a client brings along to take up its TLS session again. */
export const TICKET_KEYS = 48;

export interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** @throws MegaphoneError HTTP_CERTIFICATE where a file cannot be read or used, or the two do not belong together */
export function loadCertificate(files: CertificateFiles): Certificate {
  const certificate = { cert: read(files.cert), key: read(files.key) };
  try {
    createSecureContext(certificate);
    return certificate;
  } catch (cause) {
    throw unusable(`the certificate in ${files.cert} and the key in ${files.key} cannot be used`, cause, {
      hint: 'both are PEM files, the key without a passphrase, and it must be the key of the first certificate',
    });
  }
}

function read(file: string): Buffer {
  return readRegularFile(file, {
    code: 'HTTP_CERTIFICATE',
    problem: `cannot read ${file}`,
    hint: "the gateway's user must be allowed to read it",
  });
}

function unusable(what: string, cause: unknown, { hint }: { readonly hint: string }): MegaphoneError {
  const { code } = cause as NodeJS.ErrnoException;
  return new MegaphoneError('HTTP_CERTIFICATE', `${what}${code === undefined ? '' : `: ${code}`}`, {
    cause,
    hint,
  });
}
