/**
 * What this node shows to other nodes over TLS, and whom it believes: three PEM files, read again when they change.
 * Both sides of a connection show a certificate, and both verify the other's.
 */

import { constants, X509Certificate } from 'node:crypto';
import { statSync } from 'node:fs';
import { isIP } from 'node:net';
import { createSecureContext, type SecureContext, type SecureContextOptions } from 'node:tls';
import { parseNodeName } from '../distribution/names.js';
import { MegaphoneError } from '../errors.js';
import { readRegularFile } from '../regular-file.js';

/** Names of files in PEM. */
export interface TlsFiles {
  /** The node's own certificate, and behind it those that lead to a root that the other nodes know. */
  readonly cert: string;
  readonly key: string;
  /** The roots that certificates of other nodes must lead to; the system's own do not count. */
  readonly ca: string;
}

export class TlsCredentials {
  readonly files: TlsFiles;
  #options: SecureContextOptions;
  #context: SecureContext;

  /** @throws MegaphoneError NODE_CERTIFICATE where a file cannot be read or used, or certificate and key are no pair */
  constructor(files: TlsFiles) {
    this.files = files;
    this.#options = read(files);
    this.#context = contextOf(this.#options, files);
  }

  /** For new connections; those that are there stay. @throws as the constructor, and what was read before stays */
  reload(): void {
    const options = read(this.files);
    this.#context = contextOf(options, this.files);
    this.#options = options;
  }

  get context(): SecureContext {
    return this.#context;
  }

  /** What the context is made of. Another object after each `reload`. */
  get options(): SecureContextOptions {
    return this.#options;
  }

  /** What others will hold against the node of that name, or what is wrong with the files though they can be used. */
  warnings(node: string): MegaphoneError[] {
    const { cert, key } = this.files;
    const { host } = parseNodeName(node);
    const certificate = new X509Certificate(this.#options.cert as Buffer);
    const warnings: MegaphoneError[] = [];
    const isNamed = isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host);
    if (isNamed === undefined) {
      const message = `The certificate ${cert} is not for ${host} but for ${certificate.subjectAltName ?? 'nobody'}`;
      const hint = `Other nodes will refuse ${node}: subjectAltName must be the host behind the @.`;
      warnings.push(new MegaphoneError('NODE_CERTIFICATE_UNFIT', message, { hint }));
    }
    const now = Date.now();
    if (now < Date.parse(certificate.validFrom) || now > Date.parse(certificate.validTo)) {
      const message = `The certificate ${cert} is valid from ${certificate.validFrom} to ${certificate.validTo} only`;
      const hint = 'Other nodes refuse it now. Give it a new one, and this process a SIGHUP.';
      warnings.push(new MegaphoneError('NODE_CERTIFICATE_UNFIT', message, { hint }));
    }
    if ((statSync(key, { throwIfNoEntry: false })?.mode ?? 0) % 8 !== 0) {
      const message = `Every user of this machine may use the key ${key}`;
      const hint =
        'chmod o= of that file: whoever has it can pass for this node, once the cookie is known too.';
      warnings.push(new MegaphoneError('NODE_KEY_NOT_PRIVATE', message, { hint }));
    }
    return warnings;
  }

  /** When the certificate ends, as OpenSSL writes it. */
  get validTo(): string {
    return new X509Certificate(this.#options.cert as Buffer).validTo;
  }
}

function read({ cert, key, ca }: TlsFiles): SecureContextOptions {
  return {
    cert: readPem(cert),
    key: readPem(key),
    ca: readPem(ca),
    minVersion: 'TLSv1.2',
    // A session that is taken up again would not be verified again, not even after a reload.
    secureOptions: constants.SSL_OP_NO_TICKET,
  };
}

function contextOf(options: SecureContextOptions, { cert, key, ca }: TlsFiles): SecureContext {
  try {
    return createSecureContext(options);
  } catch (cause) {
    throw unusable(
      `The certificate ${cert}, the key ${key} and the roots ${ca} cannot be used together`,
      cause,
      {
        hint: 'All three are PEM files, the key without a passphrase, and it must be the key of the first certificate.',
      },
    );
  }
}

function readPem(file: string): Buffer {
  const pem = readRegularFile(file, {
    code: 'NODE_CERTIFICATE',
    problem: `${file} cannot be read`,
    hint: "The gateway's user must be allowed to read it.",
  });
  // A file of roots without any would be taken, and then no other node believed.
  if (pem.includes('-----BEGIN ')) return pem;
  throw unusable(`${file} is no PEM file`, undefined, { hint: 'It begins with "-----BEGIN …-----".' });
}

function unusable(what: string, cause: unknown, { hint }: { readonly hint: string }): MegaphoneError {
  const { code } = (cause ?? {}) as NodeJS.ErrnoException;
  return new MegaphoneError('NODE_CERTIFICATE', `${what}${code === undefined ? '' : `: ${code}`}`, {
    hint,
    ...(cause === undefined ? {} : { cause }),
  });
}
