/**
 * The kernel's settings that bound how many connections there can be, beside what the configuration asks for. Each that is too low
 * is advice, with its line for /etc/sysctl.d: the gateway runs, for fewer.
 */

import { readFileSync } from 'node:fs';
import type { Config } from '../../config/schema.js';
import { type Finding, good, poor } from '../finding.js';

/** What the gateway asks for when it listens (src/http/listen.ts). */
const BACKLOG = 4096;
/** Connections that have just ended are tracked, too. */
const TRACKED_PER_CONNECTION = 1.25;
/** From one address to one port of another. What is below is left to servers, such as this one. */
const LARGEST_RANGE = [10240, 65535] as const;

/** What a file of the system's says: `undefined` where there is none, or this user may not read it. */
type Read = (setting: string) => string | undefined;

/** @param proc the folder of that name */
export function* kernel(config: Config, proc = '/proc'): Generator<Finding> {
  const read: Read = (setting) => {
    try {
      return readFileSync(`${proc}/sys/${setting.replaceAll('.', '/')}`, 'latin1').trim();
    } catch {
      return undefined;
    }
  };
  const judges = [backlog, tracked, memory, outgoing, reserved];
  const findings = judges.flatMap((judge) => [...judge(config, read)]);
  yield* findings;
  if (findings.length === 0 && read('net.core.somaxconn') !== undefined)
    yield good(`the kernel's settings go with ${config.max_connections} connections`);
}

const numbers = (text: string | undefined): number[] => (text ?? '').split(/\s+/).filter(Boolean).map(Number);

const line = (setting: string, value: string | number): string =>
  `in /etc/sysctl.d/60-megaphone.conf, followed by sysctl --system: ${setting} = ${value}`;

function* backlog({ max_connections }: Config, read: Read): Generator<Finding> {
  const setting = 'net.core.somaxconn';
  const [now] = numbers(read(setting));
  if (now !== undefined && now < Math.min(BACKLOG, max_connections))
    yield poor(
      `${setting} is ${now}: of more clients that come in one moment, as after a restart, some wait for a second or longer`,
      line(setting, BACKLOG),
    );
}

/** It is there where a firewall looks at connections. */
function* tracked({ max_connections }: Config, read: Read): Generator<Finding> {
  const setting = 'net.netfilter.nf_conntrack_max';
  const [now] = numbers(read(setting));
  const needed = Math.ceil(max_connections * TRACKED_PER_CONNECTION);
  if (now !== undefined && now < needed)
    yield poor(
      `${setting} is ${now}: max_connections (${max_connections}), and a quarter for those that have just ended, is more, and beyond it the firewall drops packets`,
      line(setting, needed),
    );
}

/** In pages. A connection that is idle takes none; when all are written to at once, each takes one until that is read. */
function* memory({ max_connections: needed }: Config, read: Read): Generator<Finding> {
  const setting = 'net.ipv4.tcp_mem';
  const [low = 0, pressure = 0, most] = numbers(read(setting));
  if (most === undefined || most >= needed) return;
  const values = [Math.max(low, Math.ceil(needed / 2)), Math.max(pressure, Math.ceil(needed * 0.75)), needed];
  yield poor(
    `${setting} ends at ${most} pages, less than one for each of ${needed} connections: when all are written to at once, packets are dropped`,
    line(setting, values.join(' ')),
  );
}

const RANGE = 'net.ipv4.ip_local_port_range';

/** Of a proxy on this machine each connection to the gateway takes a port. */
function* outgoing(config: Config, read: Read): Generator<Finding> {
  const [first, last] = numbers(read(RANGE));
  const isBehindOneHere = [config.http_ip, ...config.trusted_proxies].some((ip) => /^(?:127\.|::1)/.test(ip));
  if (first === undefined || last === undefined || !isBehindOneHere) return;
  const size = last - first + 1;
  if (size >= config.max_connections) return;
  const [lowest, highest] = LARGEST_RANGE;
  const isLargest = first <= lowest && last >= highest;
  yield poor(
    `${RANGE} has ${size} ports: a proxy on this machine can open no more connections to one address of the gateway, and max_connections is ${config.max_connections}`,
    isLargest
      ? 'name the gateway several times in the proxy, by 127.0.0.1, 127.0.0.2 and so on: each address has ports of its own'
      : line(RANGE, LARGEST_RANGE.join(' ')),
  );
}

/** A port of ours in that range may be somebody's when the gateway starts. */
function* reserved(config: Config, read: Read): Generator<Finding> {
  const setting = 'net.ipv4.ip_local_reserved_ports';
  const [first = 0, last = -1] = numbers(read(RANGE));
  const { distribution_port, workers, http_port, admin_port, agent_port, lines_port } = config;
  const ofNodes = Array.from(
    { length: distribution_port === 0 ? 0 : workers },
    (_, at) => distribution_port + at,
  );
  const spared = rangesIn(read(setting) ?? '');
  const endangered = [http_port, admin_port, agent_port, lines_port, ...ofNodes].filter(
    (port) => port >= first && port <= last && !spared.some(([from, to]) => port >= from && port <= to),
  );
  if (endangered.length === 0) return;
  const all = [...spared.map(([from, to]) => (from === to ? from : `${from}-${to}`)), ...endangered];
  yield poor(
    `the system may give port ${endangered.join(', ')} to any outgoing connection (${RANGE} is ${first} ${last}): then the gateway cannot start`,
    line(setting, all.join(',')),
  );
}

/** `8080,9000-9010` */
const rangesIn = (text: string): (readonly [number, number])[] =>
  text
    .split(',')
    .filter((part) => part !== '')
    .map((part) => part.split('-').map(Number))
    .map(([from = 0, to = from]) => [from, to] as const);
