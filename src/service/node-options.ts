/** From the configuration to what starts a hidden node: the one place that knows both. */

import type { Config } from '../config/schema.js';
import { parseNodeName } from '../distribution/names.js';
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
    ...(config.allow_nodes.length === 0
      ? {}
      : { allow: config.allow_nodes, allowFromHere: (peer) => isCommandNode(peer, config.node) }),
  };
}

const COMMANDS = ['cat', 'check', 'drain', 'nodes', 'ping', 'publish', 'resume', 'top'] as const;
export type Command = (typeof COMMANDS)[number];

/** What a command on this machine is called as a node: the gateway lets it in whatever `allow_nodes` says. */
export function commandNode({ node }: Config, command: Command): string {
  const { alive, host } = parseNodeName(node);
  return `${alive}-${command}-${process.pid}@${host}`;
}

const COMMAND_NODE = new RegExp(`-(?:${COMMANDS.join('|')})-\\d+$`);

/** @param node the gateway's, or one of its workers' */
function isCommandNode(peer: string, node: string): boolean {
  const { alive, host } = parseNodeName(peer);
  return host === parseNodeName(node).host && COMMAND_NODE.test(alive);
}
