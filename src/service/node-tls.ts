/** The certificates with which a gateway speaks to other nodes, as far as its log has something to say of them. */

import type { Logger } from 'pino';
import type { TlsCredentials } from '../node/tls-credentials.js';

/** For new connections; what cannot be used leaves what was there. `undefined`: there is no TLS. */
export function reloadTls(tls: TlsCredentials | undefined, log: Logger): void {
  if (tls === undefined) return;
  try {
    tls.reload();
    log.info(`new connections with nodes get the certificate in ${tls.files.cert}`);
    warnOfKey(tls, log);
  } catch (error) {
    log.error({ err: error }, `the old certificate stays with nodes: ${(error as Error).message}`);
  }
}

export function warnOfKey(tls: TlsCredentials | undefined, log: Logger): void {
  const warning = tls?.warning;
  if (warning !== undefined) log.warn({ err: warning }, warning.message);
}
