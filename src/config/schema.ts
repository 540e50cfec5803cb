/**
 * Every setting, once: its key in megaphone.yml, its type, its default and what it is for. The environment
 * (`MEGAPHONE_HTTP_PORT`), the flags (`--http-port`), the help and the errors all come from here.
 */

import { isIP } from 'node:net';
import { availableParallelism } from 'node:os';
import { z } from 'zod';
import { LOG_LEVELS, type LogLevel } from '../observe/log.js';
import { nodeNames } from './node-names.js';
import { readDuration, readRate, readSize } from './units.js';

/** A setting: what an error says was expected, and how a value is read; `undefined` refuses it. */
function setting<T>(expected: string, read: (raw: unknown) => T | undefined) {
  return z.unknown().transform((raw, context): T => {
    const value = read(raw);
    if (value !== undefined) return value;
    context.addIssue({ code: 'custom', message: `expected ${expected}`, input: raw });
    return z.NEVER;
  });
}

const within = (value: number | undefined, min: number, max: number): number | undefined =>
  value !== undefined && value >= min && value <= max ? value : undefined;

function readInteger(raw: unknown, min: number, max: number): number | undefined {
  const value = typeof raw === 'string' && /^\d+$/.test(raw) ? Number(raw) : raw;
  return Number.isInteger(value) ? within(value as number, min, max) : undefined;
}

function integer(min: number, max: number, what = 'a whole number') {
  return setting(`${what} from ${min} to ${max}`, (raw) => readInteger(raw, min, max));
}

const port = () => integer(0, 65535, 'a port');

function duration(min: number, max: number) {
  return setting(`a time from ${min} to ${max} s, such as "90 s" or "2 min"`, (raw) =>
    within(readDuration(raw), min, max),
  );
}

function size(min: number, max: number) {
  return setting(`a size from ${min} to ${max} bytes, such as "64 KB"`, (raw) =>
    within(readSize(raw), min, max),
  );
}

const ip = () =>
  setting('an IP address', (raw) => (typeof raw === 'string' && isIP(raw) !== 0 ? raw : undefined));

const nonEmpty = (raw: unknown): string | undefined =>
  typeof raw === 'string' && raw !== '' ? raw : undefined;

const text = (raw: unknown): string | undefined => (typeof raw === 'string' ? raw : undefined);

const flag = () =>
  setting('true or false', (raw) =>
    typeof raw === 'boolean' ? raw : raw === 'true' ? true : raw === 'false' ? false : undefined,
  );

/** One item alone is a list of one; in the environment and in flags, commas separate items. */
function list<T extends z.ZodType>(item: T) {
  const split = (raw: unknown): unknown => {
    if (typeof raw !== 'string') return raw;
    return raw
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
  };
  return z.preprocess(split, z.array(item, { error: 'expected a list' }));
}

const NODE_NAME = /^[\w-]+@[\w.:-]+$/;

const nodeName = () =>
  setting('a node name such as "ejabberd@localhost"', (raw) =>
    typeof raw === 'string' && raw.length <= 255 && NODE_NAME.test(raw) ? raw : undefined,
  );

/** An ejabberd node, and where to find it if EPMD shall not be asked. */
export interface EjabberdNode {
  readonly name: string;
  readonly endpoint: { readonly host: string; readonly port: number } | undefined;
}

const ejabberdNode = () => z.preprocess(splitEndpoint, ejabberdNodeObject);

const ejabberdNodeObject = z
  .strictObject(
    {
      name: nodeName(),
      host: setting('a host name or an IP address', nonEmpty).optional(),
      port: integer(1, 65535, 'a port').optional(),
    },
    { error: 'expected a node name, or name, host and port' },
  )
  .superRefine(({ host, port: portOf }, context) => {
    if (host !== undefined && portOf === undefined) {
      context.addIssue({ code: 'custom', path: ['port'], message: 'expected a port beside host' });
    }
  })
  .transform(({ name, host, port: portOf }): EjabberdNode => {
    const endpoint =
      portOf === undefined ? undefined : { host: host ?? name.slice(name.indexOf('@') + 1), port: portOf };
    return { name, endpoint };
  });

/** `ejabberd@a` and `ejabberd@a=10.0.0.1:5210` are short for `{name: …}` and `{name: …, host: …, port: …}`. */
function splitEndpoint(raw: unknown): unknown {
  if (typeof raw !== 'string') return raw;
  const [, name, host, portText] = /^([^=]+)=(.+):(\d+)$/.exec(raw) ?? [];
  return name === undefined ? { name: raw } : { name, host, port: portText };
}

const cidr = () =>
  setting('an IP address or a range such as "10.0.0.0/8"', (raw) => {
    const [address = '', bits, ...more] = typeof raw === 'string' ? raw.split('/') : [];
    const family = isIP(address);
    if (family === 0 || more.length > 0) return undefined;
    const isRange =
      bits === undefined || (/^\d{1,3}$/.test(bits) && Number(bits) <= (family === 6 ? 128 : 32));
    return isRange ? (raw as string) : undefined;
  });

const rate = () =>
  setting('0, or a number in a time, such as "60/min" or "5000/10 s"', (raw) =>
    raw === 0 || raw === '0' ? (0 as const) : readRate(raw),
  );

const origin = () =>
  setting('"*" or an origin such as "https://chat.example.org"', (raw) =>
    typeof raw === 'string' && (raw === '*' || /^[a-z][a-z0-9+.-]*:\/\/[^/\s,]+$/.test(raw))
      ? raw
      : undefined,
  );

const PATH = /^\/[\w\-.~!$&'()*+;=:@%/]*$/;

const path = () =>
  setting('a path such as "/ws"', (raw) => (typeof raw === 'string' && PATH.test(raw) ? raw : undefined));

const webSocketUri = () =>
  setting('an address such as "wss://chat.example.org/ws"', (raw) =>
    raw === '' || isUrl(raw, ['ws:', 'wss:']) ? raw : undefined,
  );

const publicUrl = () =>
  setting('an address such as "https://chat.example.org"', (raw) =>
    raw === '' || isUrl(raw, ['http:', 'https:']) ? raw.replace(/\/+$/, '') : undefined,
  );

const isUrl = (raw: unknown, schemes: readonly string[]): raw is string =>
  typeof raw === 'string' &&
  /^[^\s?#]+$/.test(raw) &&
  URL.canParse(raw) &&
  schemes.some((scheme) => raw.toLowerCase().startsWith(`${scheme}//`));

const allowedNode = () =>
  setting('a node name, or "*@host" for all nodes of a host', (raw) =>
    typeof raw === 'string' && /^([\w-]+|\*)@[\w.:-]+$/.test(raw) ? raw : undefined,
  );

const logLevel = () =>
  setting(`one of ${LOG_LEVELS.join(', ')}`, (raw) => LOG_LEVELS.find((level: LogLevel) => level === raw));

/** All of these or none. */
const FILES_TOGETHER = [
  ['tls_cert', 'tls_key'],
  ['distribution_tls_cert', 'distribution_tls_key', 'distribution_tls_ca'],
] as const;

const MAX_WORKERS = 128;

const workers = () =>
  setting(`a whole number from 1 to ${MAX_WORKERS}, or "auto"`, (raw) =>
    raw === 'auto' ? Math.min(availableParallelism(), MAX_WORKERS) : readInteger(raw, 1, MAX_WORKERS),
  );

export const configSchema = z
  .strictObject({
    node: nodeName().default('megaphone@localhost').describe("this gateway's Erlang node name"),
    nodes: list(ejabberdNode())
      .refine((nodes) => nodes.length > 0, 'expected at least one node')
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

export type Config = z.output<typeof configSchema>;
export type ConfigKey = keyof Config;

export const CONFIG_KEYS = Object.keys(configSchema.shape) as readonly ConfigKey[];

/** `http_port` → `http-port`, the flag without its dashes. */
export const flagOf = (key: ConfigKey): string => key.replaceAll('_', '-');

/** `http_port` → `MEGAPHONE_HTTP_PORT`. */
export const variableOf = (key: ConfigKey): string => `MEGAPHONE_${key.toUpperCase()}`;

export const describe = (key: ConfigKey): string => configSchema.shape[key].description ?? '';
