/** The state of the gateway as plain data: what the `stats` call, `/healthz` and `/metrics` are made of. */

import { type CometGauges, type CometReport, cometReport } from './comet-counters.js';
import type { Counters } from './counters.js';
import type { Durations } from './histogram.js';
import { standardOutput } from './log-output.js';
import type { ModuleStats } from './module-metrics.js';
import type { ProcessMetrics } from './process-metrics.js';
import type { Usage } from './usage.js';
import { ownWarnings, type Warning } from './warnings.js';

export interface NodeState {
  readonly name: string;
  /** `undefined` while out of service. */
  readonly kind: 'module' | 'plain' | undefined;
  readonly reason: string;
  /** What mends that. */
  readonly hint: string;
  /** It is given new sessions now. */
  readonly takesSessions: boolean;
  readonly isLeaving: boolean;
  readonly room: {
    /** By its own word: `in_service`, `draining`, `stopping`. */
    readonly state: string;
    /** What part of all sessions it is to have, beside that of others. */
    readonly weight: number;
    readonly started: number;
    /** How many it has, by its own word; 0 where it says none. */
    readonly sessions: number;
  };
  readonly outbox: {
    /** What was sent that it has not said to have taken. Nobody but a module in service says so. */
    readonly onTheWay: number;
    /** How much more may be sent until it says so. */
    readonly credit: number;
    /** From a mark among the requests to its word that it took all before that. */
    readonly delay: { report(): Durations };
    /** Requests that wait for its return, or until it takes more. */
    readonly waiting: { readonly size: number };
  };
}

/** The connection to a node, and what earlier ones carried. */
export interface Link {
  readonly isUp: boolean;
  /** The version of TLS; empty without. */
  readonly tls: string;
  readonly opened: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
  /** Messages and signals. */
  readonly framesIn: number;
  readonly framesOut: number;
  /** Bytes that wait until the node reads them. */
  readonly queuedBytes: number;
}

/** By what it is for: `https`, `distribution`. In seconds since 1970. */
export type CertificateEnds = Readonly<Record<string, number>>;

export interface Sources {
  /** The gateway's own node name. */
  readonly node: string;
  readonly counters: Counters;
  readonly nodes: () => readonly NodeState[];
  /** It is named in the configuration. */
  readonly isSeed: (node: string) => boolean;
  /** Date.now() of the start. */
  readonly startedAt: number;
  readonly openExchanges: () => number;
  readonly websockets: () => number;
  readonly connections: () => number;
  readonly receiving: () => number;
  readonly state: () => GatewayState;
  readonly link: (node: string) => Link;
  readonly certificates: () => CertificateEnds;
  readonly usage: () => Usage;
  /** `undefined` where comet is off. */
  readonly comet?: (() => CometGauges) | undefined;
}

/** `draining` and `drained` by an operator's order, `stopping` by a signal: its clients are sent elsewhere. */
export type GatewayState = 'in_service' | 'draining' | 'drained' | 'stopping';
export const GATEWAY_STATES: readonly GatewayState[] = ['in_service', 'draining', 'drained', 'stopping'];

export type NodeReport = {
  /** With several workers: of at least one of them. */
  readonly in_service: boolean;
  /** Empty while in service; with several workers, why one of them does without that node. */
  readonly reason: string;
  /** What mends that; may be empty. */
  readonly hint: string;
  /** By its own word: `in_service`, `draining`, `stopping`. */
  readonly state: string;
  readonly weight: number;
  readonly seed: boolean;
  /** No node of the cluster knows it any more. */
  readonly leaving: boolean;
  readonly takes_sessions: boolean;
  /** The version of TLS of its link; empty without. */
  readonly tls: string;
  /** Of all gateways, as the node says; with several workers the largest that one of them knows. */
  readonly sessions: number;
  readonly sessions_started: number;
  readonly requests_on_the_way: number;
  readonly requests_waiting: number;
};

export type WorkerReport = {
  /** It runs, and has reported in the last seconds. */
  readonly up: boolean;
  /** The process; 0 while there is none. */
  readonly pid: number;
  /** How often it was replaced. */
  readonly restarts: number;
};

/**
 * `ok` while this gateway is in service and at least one node is, so that new sessions can start; with several workers, while
 * that is so for each of them, `degraded` where it is so only for some.
 */
export type Health = {
  readonly status: 'ok' | 'degraded' | 'unavailable';
  readonly state: GatewayState;
  readonly nodes: { readonly [name: string]: NodeReport };
  /** By node name; only where there are several. */
  readonly workers?: { readonly [name: string]: WorkerReport };
};

/** What the admin port and the agent show. */
export interface Reports {
  state(): GatewayState;
  health(): Health;
  stats(): Stats;
  /** What others are asked for. */
  asked(): Promise<Asked>;
}

export interface Asked {
  /** What the nodes' modules count. */
  readonly modules: ModuleStats;
  readonly processes: ProcessMetrics;
}
/** Of one that does not answer. */
export const NOT_ASKED: Asked = { modules: {}, processes: [] };

/** All of it adds up. */
export type LinkReport = {
  /** Of how many processes there is to be a connection, and of how many there is one. */
  readonly wanted: number;
  readonly up: number;
  readonly opened: number;
  readonly bytes_in: number;
  readonly bytes_out: number;
  readonly messages_in: number;
  readonly messages_out: number;
  readonly queued_bytes: number;
  /** How many requests more the node may be sent until it says that it took some; and how many processes have none left. */
  readonly credit: number;
  readonly exhausted: number;
};

export type Stats = Health & {
  readonly node: string;
  readonly uptime_seconds: number;
  readonly connections: number;
  readonly connections_opened: number;
  readonly receiving_bytes: number;
  readonly open_exchanges: number;
  readonly requests: number;
  readonly answers: { readonly [statusClass: string]: number };
  readonly refused: { readonly [reason: string]: number };
  readonly lines: { readonly [result: string]: number };
  readonly dropped_answers: { readonly [reason: string]: number };
  readonly timeouts: number;
  readonly closed: number;
  readonly refused_headers: number;
  readonly refused_handshakes: number;
  readonly bytes_in: number;
  readonly bytes_out: number;
  readonly websockets: number;
  readonly websocket: { readonly [what: string]: number };
  readonly websocket_closed: { readonly [code: string]: number };
  readonly log_lines_lost: number;
  readonly latency: { readonly [kind: string]: Durations };
  /** By node. */
  readonly links: { readonly [node: string]: LinkReport };
  readonly delay: { readonly [node: string]: Durations };
  readonly certificate_ends: CertificateEnds;
  /** By process. */
  readonly usage: { readonly [name: string]: Usage };
  /** Only where it is on. */
  readonly comet?: CometReport;
  readonly warnings: readonly Warning[];
};

export function health({ nodes, state, link, isSeed }: Sources): Health {
  const reports = nodes().map((node): [string, NodeReport] => [
    node.name,
    {
      in_service: node.kind !== undefined,
      reason: node.reason,
      hint: node.hint,
      state: node.room.state,
      weight: node.room.weight,
      seed: isSeed(node.name),
      leaving: node.isLeaving,
      tls: link(node.name).tls,
      takes_sessions: node.takesSessions,
      sessions: node.room.sessions,
      sessions_started: node.room.started,
      requests_on_the_way: node.kind === 'module' ? node.outbox.onTheWay : 0,
      requests_waiting: node.outbox.waiting.size,
    },
  ]);
  // Where none is named there is nothing but comet, which needs none.
  const isServed = reports.length === 0 || nodes().some(({ kind }) => kind !== undefined);
  const isAvailable = state() === 'in_service' && isServed;
  return { status: isAvailable ? 'ok' : 'unavailable', state: state(), nodes: Object.fromEntries(reports) };
}

export function stats(sources: Sources): Stats {
  const { counters } = sources;
  const nodes = sources.nodes();
  return {
    ...health(sources),
    node: sources.node,
    uptime_seconds: Math.floor((Date.now() - sources.startedAt) / 1000),
    connections: sources.connections(),
    connections_opened: counters.opened,
    receiving_bytes: sources.receiving(),
    open_exchanges: sources.openExchanges(),
    requests: counters.requests,
    answers: { ...counters.answers },
    refused: { ...counters.refused },
    lines: { ...counters.lines },
    dropped_answers: { ...counters.dropped },
    timeouts: counters.timeouts,
    closed: counters.closed,
    refused_headers: counters.refusedHeaders,
    refused_handshakes: counters.refusedHandshakes,
    bytes_in: counters.bytesIn,
    bytes_out: counters.bytesOut,
    websockets: sources.websockets(),
    websocket: { ...counters.websocket },
    websocket_closed: { ...counters.websocketClosed },
    log_lines_lost: standardOutput.lost,
    latency: mapped(counters.latency, (histogram) => histogram.report()),
    links: Object.fromEntries(nodes.map((node) => [node.name, linkReport(node, sources.link(node.name))])),
    delay: Object.fromEntries(nodes.map(({ name, outbox }) => [name, outbox.delay.report()])),
    certificate_ends: sources.certificates(),
    usage: { [sources.node]: sources.usage() },
    warnings: ownWarnings.latest,
    ...(sources.comet === undefined ? {} : { comet: cometReport(counters.comet, sources.comet()) }),
  };
}

function linkReport({ kind, outbox }: NodeState, link: Link): LinkReport {
  const credit = kind === 'module' ? outbox.credit : 0;
  return {
    wanted: 1,
    up: Number(link.isUp),
    opened: link.opened,
    bytes_in: link.bytesIn,
    bytes_out: link.bytesOut,
    messages_in: link.framesIn,
    messages_out: link.framesOut,
    queued_bytes: link.queuedBytes,
    credit,
    exhausted: Number(kind === 'module' && credit === 0),
  };
}

function mapped<A, B>(
  record: Readonly<Record<string, A>>,
  of: (value: A) => B,
): { readonly [key: string]: B } {
  return Object.fromEntries(Object.entries(record).map(([key, value]) => [key, of(value)]));
}
