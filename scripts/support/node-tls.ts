/** What a node needs to speak with those of an instance or cluster, where MEGAPHONE_TLS makes them speak TLS (scripts/tls.sh). */
import { join } from 'node:path';
import { TlsCredentials } from '../../src/node/tls-credentials.js';
import type { NodeFiles } from './authority.js';

/** @param home where `.erlang.cookie` lies */
export function nodeFiles(home: string, env = process.env): NodeFiles | undefined {
  const { MEGAPHONE_TLS: tls = '0' } = env;
  const file = (name: string): string => join(home, 'tls', name);
  return tls === '0' || tls === ''
    ? undefined
    : { cert: file('localhost.pem'), key: file('localhost.key'), ca: file('ca.pem') };
}

/** As an option of a node. */
export function nodeTls(home: string, env = process.env): { readonly tls?: TlsCredentials } {
  const files = nodeFiles(home, env);
  return files === undefined ? {} : { tls: new TlsCredentials(files) };
}
