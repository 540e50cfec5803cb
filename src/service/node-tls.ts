/** The certificates with which a gateway speaks to other nodes and to clients, as far as operators hear of them. */

import type { Logger } from 'pino';
import type { NodeOptions } from '../node/hidden-node.js';
import type { CertificateEnds } from '../observe/report.js';

/** For new connections; what cannot be used leaves what was there. */
export function reloadTls(options: NodeOptions, log: Logger): void {
  const { tls } = options;
  if (tls === undefined) return;
  try {
    tls.reload();
    log.info(`new connections with nodes get the certificate in ${tls.files.cert}`);
    warnOfTls(options, log);
  } catch (error) {
    log.error({ err: error }, `the old certificate stays with nodes: ${(error as Error).message}`);
  }
}

export function warnOfTls({ name, tls }: NodeOptions, log: Logger): void {
  for (const warning of tls?.warnings(name) ?? []) log.warn({ err: warning }, warning.message);
}

/** @param ends as OpenSSL writes it; `undefined`: there is none */
export const certificateEnds = (ends: Readonly<Record<string, string | undefined>>): CertificateEnds =>
  Object.fromEntries(
    Object.entries(ends).flatMap(([use, end]) => (end === undefined ? [] : [[use, Date.parse(end) / 1000]])),
  );
