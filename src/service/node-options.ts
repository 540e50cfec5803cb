/** From the configuration to what starts a hidden node: the one place that knows both. */

import type { Config } from '../config/schema.js';
import type { Cookie } from '../node/cookie.js';
import type { NodeOptions } from '../node/hidden-node.js';
import { TlsCredentials } from '../node/tls-credentials.js';

/**
 * How this configuration starts a hidden node: the gateway's own, or under another name one to try things out.
 * @throws MegaphoneError NODE_CERTIFICATE
 */
export function nodeOptions(config: Config, name: string, cookie: Cookie): NodeOptions {
  const { distribution_tls_cert: cert, distribution_tls_key: key, distribution_tls_ca: ca } = config;
  return {
    name,
    cookie,
    listen: {
      port: name === config.node ? config.distribution_port : 0,
      // Not given, all addresses are those of IPv4 where the machine has no IPv6.
      ...(config.distribution_ip === '::' ? {} : { host: config.distribution_ip }),
    },
    epmd: config.epmd_port === 0 ? false : { port: config.epmd_port },
    tickTime: config.tick_time,
    ...(cert === '' ? {} : { tls: new TlsCredentials({ cert, key, ca }) }),
    ...(config.allow_nodes.length === 0 ? {} : { allow: config.allow_nodes }),
  };
}
