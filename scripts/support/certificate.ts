/** Certificates for tests, made by openssl. */

import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface TestCertificate {
  /** Names of PEM files. */
  readonly cert: string;
  readonly key: string;
  readonly pem: string;
}

/** One for `localhost`, signed by itself; `name` is that of its files in `folder`. */
export function makeCertificate(folder: string, name: string): TestCertificate {
  const cert = join(folder, `${name}.pem`);
  const key = join(folder, `${name}.key`);
  const subject = ['-subj', '/CN=localhost', '-addext', 'subjectAltName=DNS:localhost'];
  const kind = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  execFileSync('openssl', ['req', '-x509', ...kind, '-keyout', key, '-out', cert, '-days', '2', ...subject], {
    stdio: 'ignore',
  });
  return { cert, key, pem: readFileSync(cert, 'utf8') };
}
