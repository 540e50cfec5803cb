/** The statistics in Prometheus' text format 0.0.4. */

import type { Counters } from './counters.js';
import { escapeLabel, head } from './prometheus.js';
import { GATEWAY_STATES, type Stats, type WorkerReport } from './report.js';

export const METRICS_TYPE = 'text/plain; version=0.0.4; charset=utf-8';

const WEBSOCKET: Readonly<Record<keyof Counters['websocket'], readonly [name: string, help: string]>> = {
  opened: ['websocket_opened_total', 'WebSockets opened'],
  frames_in: ['websocket_frames_in_total', 'Text frames of clients'],
  frames_out: ['websocket_frames_out_total', 'Text frames to clients'],
  bytes_in: ['websocket_bytes_in_total', 'Bytes of text frames of clients'],
  bytes_out: ['websocket_bytes_out_total', 'Bytes of text frames to clients'],
  ping_timeouts: ['websocket_ping_timeouts_total', 'WebSockets cut because nothing came behind a ping'],
  slow_readers: ['websocket_slow_readers_total', 'WebSockets cut because their client did not read'],
};

export function prometheusText(stats: Stats): string {
  const nodes = Object.entries(stats.nodes);
  const workers = Object.entries(stats.workers ?? {});
  return [
    ...(workers.length === 0 ? [] : workerLines(workers)),
    single('requests_total', 'BOSH requests received', stats.requests),
    labelled(
      'answers_total',
      'Answers of ejabberd given to clients',
      'status',
      Object.entries(stats.answers),
    ),
    labelled(
      'refused_total',
      'Requests answered by the gateway itself',
      'reason',
      Object.entries(stats.refused),
    ),
    labelled(
      'dropped_answers_total',
      'Messages from nodes that were of no use: that answered no open exchange, or were malformed',
      'reason',
      Object.entries(stats.dropped_answers),
    ),
    single('timeouts_total', 'Exchanges and upgrades that nobody answered in time', stats.timeouts),
    single('closed_total', 'Clients that went away before their answer', stats.closed),
    single('refused_headers_total', 'Headers of answers left out as not allowed', stats.refused_headers),
    single(
      'refused_handshakes_total',
      'Connections to the distribution port that came to nothing',
      stats.refused_handshakes,
    ),
    single('bytes_in_total', 'Bytes of request bodies', stats.bytes_in),
    single('bytes_out_total', 'Bytes of answer bodies', stats.bytes_out),
    ...Object.entries(WEBSOCKET).map(([member, [name, help]]) =>
      single(name, help, stats.websocket[member] ?? 0),
    ),
    labelled(
      'websocket_closed_total',
      'WebSockets that ended, by close code',
      'code',
      Object.entries(stats.websocket_closed),
    ),
    single('log_lines_lost_total', 'Lines of the log that could not be written', stats.log_lines_lost),
    single('connections', 'HTTP connections', stats.connections),
    single('receiving_bytes', 'Memory of requests that are coming in', stats.receiving_bytes),
    single('open_exchanges', 'Requests held', stats.open_exchanges),
    single('websockets', 'WebSockets, with those that ejabberd has yet to grant', stats.websockets),
    labelled(
      'state',
      'Whether the gateway is in service, or its clients are sent elsewhere: 1 for what it is',
      'state',
      GATEWAY_STATES.map((state) => [state, Number(state === stats.state)]),
    ),
    single('uptime_seconds', 'Seconds since the start', stats.uptime_seconds),
    labelled(
      'node_in_service',
      'Whether an ejabberd node takes requests',
      'node',
      nodes.map(([name, node]) => [name, Number(node.in_service)]),
    ),
    labelled(
      'node_takes_sessions',
      'Whether an ejabberd node is given new sessions',
      'node',
      nodes.map(([name, node]) => [name, Number(node.takes_sessions)]),
    ),
    labelled(
      'node_sessions',
      'Sessions of an ejabberd node, by its own word',
      'node',
      nodes.map(([name, node]) => [name, node.sessions]),
    ),
    labelled(
      'requests_on_the_way',
      'Requests sent to a node that it has not taken yet',
      'node',
      nodes.map(([name, node]) => [name, node.requests_on_the_way]),
    ),
    labelled(
      'requests_waiting',
      'Requests that wait for a node to return or to take more',
      'node',
      nodes.map(([name, node]) => [name, node.requests_waiting]),
    ),
    labelled(
      'sessions_started_total',
      'Requests that start a session, by node',
      'node',
      nodes.map(([name, node]) => [name, node.sessions_started]),
    ),
  ].join('');
}

function workerLines(workers: readonly [string, WorkerReport][]): string[] {
  return [
    labelled(
      'worker_up',
      'Whether a worker process runs and reports',
      'worker',
      workers.map(([name, { up }]) => [name, Number(up)]),
    ),
    labelled(
      'worker_restarts_total',
      'How often a worker process was replaced',
      'worker',
      workers.map(([name, { restarts }]) => [name, restarts]),
    ),
  ];
}

function single(name: string, help: string, value: number): string {
  return `${head(name, help)}megaphone_${name} ${value}\n`;
}

function labelled(name: string, help: string, label: string, values: readonly [string, number][]): string {
  const lines = values.map(([key, value]) => `megaphone_${name}{${label}="${escapeLabel(key)}"} ${value}\n`);
  return head(name, help) + lines.join('');
}
