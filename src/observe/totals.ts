/**
 * The statistics of several worker processes as one gateway's. What a dead worker had counted stays in the sums, as of
 * its last report: they never fall, for Prometheus takes a counter that falls for one that began anew.
 */

import type { CometReport } from './comet-counters.js';
import { addComet, retireComet } from './comet-totals.js';
import type { GatewayState, Health, LinkReport, NodeReport, Stats, WorkerReport } from './report.js';
import { addCounts, merge } from './sums.js';
import type { Usage } from './usage.js';
import { newest, type Warning } from './warnings.js';

export interface WorkerState extends WorkerReport {
  /** Its node name. */
  readonly name: string;
  /** Its latest report; `undefined` before its first. */
  readonly stats: Stats | undefined;
}

/** The gateway they are together. */
export interface Whole {
  /** The node name as configured, which no worker has. */
  readonly node: string;
  readonly uptime_seconds: number;
  readonly state: GatewayState;
}

/** What adds up. */
export type Tally = Omit<Stats, 'status' | 'workers' | keyof Whole>;

export const NOTHING: Tally = {
  nodes: {},
  connections: 0,
  connections_opened: 0,
  receiving_bytes: 0,
  open_exchanges: 0,
  requests: 0,
  answers: {},
  refused: {},
  lines: {},
  dropped_answers: {},
  timeouts: 0,
  closed: 0,
  refused_headers: 0,
  refused_handshakes: 0,
  bytes_in: 0,
  bytes_out: 0,
  websockets: 0,
  websocket: {},
  websocket_closed: {},
  log_lines_lost: 0,
  latency: {},
  links: {},
  delay: {},
  certificate_ends: {},
  usage: {},
  warnings: [],
};

/** @param retired what dead workers left */
export function total(whole: Whole, workers: readonly WorkerState[], retired: Tally): Stats {
  const reports = workers.flatMap(({ stats }) => (stats === undefined ? [] : [stats]));
  return {
    ...whole,
    ...reports.reduce(add, retired),
    status: whole.state === 'in_service' ? statusOf(workers) : 'unavailable',
    workers: Object.fromEntries(
      workers.map(({ name, up, pid, restarts }): [string, WorkerReport] => [name, { up, pid, restarts }]),
    ),
  };
}

/** Adds the counters that a dead worker leaves: nothing is open there any more, and no node is reached. */
export function retire(before: Tally, last: Tally): Tally {
  const nodes = Object.entries(last.nodes).map(([name, node]): [string, NodeReport] => [
    name,
    {
      ...node,
      in_service: false,
      reason: '',
      hint: '',
      takes_sessions: false,
      tls: '',
      sessions: 0,
      requests_on_the_way: 0,
      requests_waiting: 0,
    },
  ]);
  return add(before, {
    ...last,
    connections: 0,
    receiving_bytes: 0,
    open_exchanges: 0,
    websockets: 0,
    nodes: Object.fromEntries(nodes),
    links: Object.fromEntries(Object.entries(last.links).map(([name, link]) => [name, { ...link, ...CUT }])),
    certificate_ends: {},
    usage: {},
    ...cometOf(retireComet(last.comet)),
  });
}

/** What the primary process has itself. */
export interface OfPrimary {
  /** Connections that no worker got. */
  readonly refused: number;
  readonly log_lines_lost: number;
  readonly usage: Usage;
  readonly warnings: readonly Warning[];
}

export const addPrimary = (before: Tally, { refused, usage, ...own }: OfPrimary): Tally =>
  add(before, { ...NOTHING, ...own, refused: { overload: refused }, usage: { primary: usage } });

/** Of a link what is no counter. */
const CUT = { wanted: 0, up: 0, queued_bytes: 0, credit: 0, exhausted: 0 };

function statusOf(workers: readonly WorkerState[]): Health['status'] {
  const serving = workers.filter(({ up, stats }) => up && stats?.status === 'ok');
  if (serving.length === workers.length) return 'ok';
  return serving.length > 0 ? 'degraded' : 'unavailable';
}

function add(a: Tally, b: Tally): Tally {
  return {
    nodes: merge(a.nodes, b.nodes, addNode),
    connections: a.connections + b.connections,
    connections_opened: a.connections_opened + b.connections_opened,
    receiving_bytes: a.receiving_bytes + b.receiving_bytes,
    open_exchanges: a.open_exchanges + b.open_exchanges,
    requests: a.requests + b.requests,
    answers: addCounts(a.answers, b.answers),
    refused: addCounts(a.refused, b.refused),
    lines: addCounts(a.lines, b.lines),
    dropped_answers: addCounts(a.dropped_answers, b.dropped_answers),
    timeouts: a.timeouts + b.timeouts,
    closed: a.closed + b.closed,
    refused_headers: a.refused_headers + b.refused_headers,
    refused_handshakes: a.refused_handshakes + b.refused_handshakes,
    bytes_in: a.bytes_in + b.bytes_in,
    bytes_out: a.bytes_out + b.bytes_out,
    websockets: a.websockets + b.websockets,
    websocket: addCounts(a.websocket, b.websocket),
    websocket_closed: addCounts(a.websocket_closed, b.websocket_closed),
    log_lines_lost: a.log_lines_lost + b.log_lines_lost,
    latency: merge(a.latency, b.latency, addCounts),
    links: merge(a.links, b.links, addLink),
    delay: merge(a.delay, b.delay, addCounts),
    certificate_ends: merge(a.certificate_ends, b.certificate_ends, Math.min),
    usage: { ...a.usage, ...b.usage },
    warnings: newest(a.warnings, b.warnings),
    ...cometOf(addComet(a.comet, b.comet)),
  };
}

const cometOf = (comet: CometReport | undefined): { comet?: CometReport } =>
  comet === undefined ? {} : { comet };

const addLink = (a: LinkReport, b: LinkReport): LinkReport => ({ ...a, ...addCounts(a, b) });

function addNode(a: NodeReport, b: NodeReport): NodeReport {
  return {
    in_service: a.in_service || b.in_service,
    reason: a.reason === '' ? b.reason : a.reason,
    hint: a.reason === '' ? b.hint : a.hint,
    ...ownWord(a.in_service ? a : b),
    tls: a.tls === '' ? b.tls : a.tls,
    takes_sessions: a.takes_sessions || b.takes_sessions,
    sessions: Math.max(a.sessions, b.sessions),
    sessions_started: a.sessions_started + b.sessions_started,
    requests_on_the_way: a.requests_on_the_way + b.requests_on_the_way,
    requests_waiting: a.requests_waiting + b.requests_waiting,
  };
}

/** What a node says itself: to those for which it is in service. */
const ownWord = ({ state, weight, seed, leaving }: NodeReport) => ({ state, weight, seed, leaving });
