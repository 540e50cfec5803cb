/**
 * Every setting, once: its key in megaphone.yml, its type, its default and what it is for. The environment
 * (`MEGAPHONE_HTTP_PORT`), the flags (`--http-port`), the help and the errors all come from here.
 */

import { z } from 'zod';
import {
  allowedNode,
  cidr,
  duration,
  ejabberdNode,
  flag,
  integer,
  ip,
  lineTargets,
  list,
  logLevel,
  nodeName,
  nonEmpty,
  origin,
  path,
  port,
  publicUrl,
  rate,
  setting,
  size,
  text,
  webSocketUri,
  workers,
} from './kinds.js';
import { nodeNames } from './node-names.js';

/** All of these or none. */
const FILES_TOGETHER = [
  ['tls_cert', 'tls_key'],
  ['distribution_tls_cert', 'distribution_tls_key', 'distribution_tls_ca'],
] as const;

/** Who may listen: one of these, or nobody. */
const COMET_WAYS = ['comet_key_file', 'comet_ask', 'comet_anyone'] as const;

export const configSchema = z
  .strictObject({
    node: nodeName().default('megaphone@localhost').describe("this gateway's Erlang node name"),
    nodes: list(ejabberdNode())
      .refine(
        (nodes) => new Set(nodes.map(({ name }) => name)).size === nodes.length,
        'expected each node once',
      )
      .default([{ name: 'ejabberd@localhost', endpoint: undefined }])
      .describe('ejabberd nodes, as name or name=host:port: some or all of the cluster'),
    discover: flag().default(true).describe('whether the other nodes of the cluster are found through those'),
    cookie_file: setting('a path', nonEmpty)
      .default('~/.erlang.cookie')
      .describe("file with the cluster's cookie"),
    epmd_port: port().default(4369).describe('port of EPMD, 0 to do without it'),
    distribution_port: port().default(0).describe('port for other Erlang nodes, 0 for any free one'),
    distribution_ip: ip().default('::').describe('address of the port for other Erlang nodes'),
    distribution_tls_cert: setting('a path', text)
      .default('')
      .describe('certificate for TLS with other Erlang nodes, a PEM file'),
    distribution_tls_key: setting('a path', text).default('').describe('key of that certificate, a PEM file'),
    distribution_tls_ca: setting('a path', text)
      .default('')
      .describe('roots of the certificates of other Erlang nodes, a PEM file'),
    allow_nodes: list(allowedNode())
      .default([])
      .describe('nodes that may connect to this one, none named: all'),
    tick_time: duration(4, 3600).default(60).describe("ejabberd's net_ticktime"),
    http_ip: ip().default('::').describe('address for web clients'),
    http_port: port().default(8080).describe('port for web clients, 0 for any free one'),
    tls_cert: setting('a path', text).default('').describe('certificate to serve HTTPS with, a PEM file'),
    tls_key: setting('a path', text).default('').describe('key of that certificate, a PEM file'),
    cors_origins: list(origin()).default(['*']).describe('web origins that may use the endpoint'),
    websocket_paths: list(path())
      .default(['/ws', '/xmpp-websocket'])
      .describe('paths of WebSockets, none for no WebSockets'),
    ping_interval: duration(1, 3600).default(40).describe('time between two pings of a WebSocket'),
    drain_delay: duration(0, 300)
      .default(5)
      .describe('time for balancers to notice, before clients are sent on'),
    drain_time: duration(0, 300).default(5).describe('time over which clients are sent elsewhere'),
    see_other_uri: webSocketUri().default('').describe('where WebSockets are sent at the end'),
    public_url: publicUrl().default('').describe('where clients find this gateway, for host-meta'),
    trusted_proxies: list(cidr()).default([]).describe('proxies whose X-Forwarded-… headers count'),
    max_body: size(1024, 16 * 1024 ** 2)
      .default(256 * 1024)
      .describe('largest request body or WebSocket message'),
    max_receiving: size(1024, 16 * 1024 ** 3)
      .default(64 * 1024 ** 2)
      .describe('memory for requests that are coming in'),
    max_connections: integer(1, 1_000_000).default(16_000).describe('HTTP connections at a time'),
    max_connections_per_address: integer(0, 1_000_000)
      .default(0)
      .describe('connections of one address, 0 for no limit'),
    max_requests_per_address: rate()
      .default(0)
      .describe('requests of one address in a time, such as 5000/10s, 0 for no limit'),
    max_failed_logins_per_address: rate()
      .default({ burst: 60, perSecond: 1 })
      .describe('failed logins of one address in a time, such as 60/min, 0 for no limit'),
    exempt_networks: list(cidr())
      .default(['127.0.0.0/8', '::1'])
      .describe('addresses and ranges without these three limits'),
    max_exchanges: integer(1, 1_000_000).default(20_000).describe('requests held at a time'),
    answer_timeout: duration(1, 3600).default(180).describe('when a held request ends with 504'),
    node_return_wait: duration(0, 300).default(10).describe("how long a request waits for its node's return"),
    max_waiting: size(1024, 1024 ** 3)
      .default(64 * 1024 ** 2)
      .describe('memory for requests that wait for their node or are on their way to it'),
    header_timeout: duration(1, 300).default(10).describe("time to send a request's headers"),
    request_timeout: duration(1, 300)
      .default(30)
      .describe('time to send a whole request, or to read an answer'),
    keep_alive_timeout: duration(1, 3600)
      .default(75)
      .describe('time before and between requests on a connection'),
    comet_key_file: setting('a path', text)
      .default('')
      .describe("file with the key of web pages' tokens: they may listen to comet"),
    comet_ask: setting('a registered name', text)
      .default('')
      .describe('name of the Erlang process that is asked who may listen to comet'),
    comet_anyone: flag().default(false).describe('whether anyone may listen to anything of comet'),
    comet_nodes: list(ejabberdNode())
      .default([])
      .describe('further Erlang nodes for comet, as name or name=host:port'),
    comet_max_ids: integer(1, 1000).default(32).describe('ids that one connection of comet may follow'),
    comet_max_unread: size(1024, 16 * 1024 ** 2)
      .default(64 * 1024)
      .describe('memory for what a page of comet does not read'),
    comet_ring_count: integer(1, 10_000).default(64).describe('messages of comet that are kept for each id'),
    comet_ring_time: duration(0, 3600).default(60).describe('how long they are kept'),
    comet_ring_memory: size(1024, 16 * 1024 ** 3)
      .default(64 * 1024 ** 2)
      .describe('memory for messages of comet that are kept'),
    lines_ip: ip().default('127.0.0.1').describe('address of the port for lines from outside'),
    lines_port: port().default(0).describe('port for lines from outside, 0 for none'),
    lines_default: lineTargets().default('').describe('whom a line without an address is for'),
    lines_from: setting('a JID', text).default('').describe('whom chat from outside comes from'),
    workers: workers().default(1).describe('worker processes, auto for one on each core'),
    admin_ip: ip().default('127.0.0.1').describe('address of health and metrics'),
    admin_port: port().default(0).describe('port of health and metrics, 0 for none'),
    admin_hosts: list(setting('a host name', nonEmpty))
      .default([])
      .describe('further host names by which the admin port may be addressed'),
    admin_token_file: setting('a path', text)
      .default('')
      .describe('file with the token of those who may act at the admin port'),
    agent_ip: ip().default('127.0.0.1').describe("address of the agent for HAProxy's agent-check"),
    agent_port: port().default(0).describe("port of the agent for HAProxy's agent-check, 0 for none"),
    log_level: logLevel().default('info').describe('how much is logged'),
  })
  .superRefine((config, context) => {
    const { node, nodes, workers: count, distribution_port } = config;
    const { header_timeout, request_timeout } = config;
    if (nodes.length === 0 && !hasComet(config)) {
      context.addIssue({ code: 'custom', path: ['nodes'], message: 'expected at least one node' });
    }
    const ways = COMET_WAYS.filter((key) => config[key] !== '' && config[key] !== false);
    for (const key of ways.slice(1)) {
      const message = `expected one of ${COMET_WAYS.join(', ')}, and ${ways[0]} is set`;
      context.addIssue({ code: 'custom', path: [key], message });
    }
    const own = nodeNames({ node, workers: count });
    const self = nodes.findIndex(({ name }) => own.includes(name));
    if (self >= 0) {
      const message = "expected an ejabberd node, this is the gateway's own name";
      context.addIssue({ code: 'custom', path: ['nodes', self], message });
    }
    const lastPort = distribution_port + count - 1;
    if (distribution_port !== 0 && lastPort > 65535) {
      const message = `expected a port from 1 to ${65535 - count + 1}, for each worker takes the next one`;
      context.addIssue({ code: 'custom', path: ['distribution_port'], message, input: distribution_port });
    }
    if (header_timeout > request_timeout) {
      const message = 'expected no more than request_timeout, of which it is a part';
      context.addIssue({ code: 'custom', path: ['header_timeout'], message, input: header_timeout });
    }
    for (const files of FILES_TOGETHER) {
      const given = files.find((key) => config[key] !== '');
      for (const missing of given === undefined ? [] : files.filter((key) => config[key] === '')) {
        const message = `expected a file beside ${given}`;
        context.addIssue({ code: 'custom', path: [missing], message });
      }
    }
  });

/** Nothing of it is there unless somebody may listen. */
export const hasComet = (config: Pick<Config, (typeof COMET_WAYS)[number]>): boolean =>
  COMET_WAYS.some((key) => config[key] !== '' && config[key] !== false);

export type Config = z.output<typeof configSchema>;
export type ConfigKey = keyof Config;

export const CONFIG_KEYS = Object.keys(configSchema.shape) as readonly ConfigKey[];

/** `http_port` → `http-port`, the flag without its dashes. */
export const flagOf = (key: ConfigKey): string => key.replaceAll('_', '-');

/** `http_port` → `MEGAPHONE_HTTP_PORT`. */
export const variableOf = (key: ConfigKey): string => `MEGAPHONE_${key.toUpperCase()}`;

export const describe = (key: ConfigKey): string => configSchema.shape[key].description ?? '';
