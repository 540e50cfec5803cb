/** The gateway's own metrics. docs/metrics.md names each; its test reads both. */

import { version } from '../version.js';
import { cometMetrics } from './comet-metrics.js';
import { histogramSamples } from './histogram.js';
import { by, counter, gauge, histogram, type Metric, one, type Sample } from './prometheus.js';
import { GATEWAY_STATES, type LinkReport, type NodeReport, type Stats, type WorkerReport } from './report.js';

const VERSION = version();

export function gatewayMetrics(stats: Stats): Metric[] {
  return [
    gauge('build_info', 'Which release this is; always 1', [{ labels: { version: VERSION }, value: 1 }]),
    ...traffic(stats),
    ...refusals(stats),
    ...webSockets(stats),
    ...nodes(Object.entries(stats.nodes)),
    ...links(stats),
    ...cometMetrics(stats.comet),
    ...itself(stats),
    ...workers(Object.entries(stats.workers ?? {})),
  ];
}

function traffic(stats: Stats): Metric[] {
  return [
    counter('requests_total', 'BOSH requests received', one(stats.requests)),
    counter('answers_total', 'Answers of ejabberd given to clients', by('status', stats.answers)),
    histogram(
      'answer_duration_seconds',
      'From a whole request to the answer of ejabberd: to one that starts a session, one of a session, one that asks for a WebSocket',
      Object.entries(stats.latency).flatMap(([kind, durations]) => histogramSamples(durations, { kind })),
    ),
    counter('request_body_bytes_total', 'Bytes of request bodies', one(stats.bytes_in)),
    counter('answer_body_bytes_total', 'Bytes of answer bodies', one(stats.bytes_out)),
    gauge('open_exchanges', 'Requests held', one(stats.open_exchanges)),
    gauge('receiving_bytes', 'Memory of requests that are coming in', one(stats.receiving_bytes)),
    gauge('connections', 'HTTP connections', one(stats.connections)),
    counter('connections_opened_total', 'HTTP connections taken', one(stats.connections_opened)),
  ];
}

function refusals(stats: Stats): Metric[] {
  return [
    counter('refused_total', 'What the gateway refused itself', by('reason', stats.refused)),
    counter('timeouts_total', 'Exchanges and upgrades that nobody answered in time', one(stats.timeouts)),
    counter('closed_total', 'Clients that went away before their answer', one(stats.closed)),
    counter('lines_total', 'Lines from outside, by what became of them', by('result', stats.lines)),
    counter(
      'dropped_answers_total',
      'Messages from nodes that were of no use: that answered no open exchange, or were malformed',
      by('reason', stats.dropped_answers),
    ),
    counter(
      'refused_headers_total',
      'Headers of answers left out as not allowed',
      one(stats.refused_headers),
    ),
    counter(
      'refused_handshakes_total',
      'Connections to the distribution port that came to nothing',
      one(stats.refused_handshakes),
    ),
  ];
}

function webSockets({ websocket, websockets, websocket_closed }: Stats): Metric[] {
  const of = (member: string): Sample[] => one(websocket[member] ?? 0);
  return [
    gauge('websockets', 'WebSockets, with those that ejabberd has yet to grant', one(websockets)),
    counter('websocket_opened_total', 'WebSockets opened', of('opened')),
    counter('websocket_closed_total', 'WebSockets that ended, by close code', by('code', websocket_closed)),
    counter('websocket_received_frames_total', 'Text frames of clients', of('frames_in')),
    counter('websocket_sent_frames_total', 'Text frames to clients', of('frames_out')),
    counter('websocket_received_bytes_total', 'Bytes of text frames of clients', of('bytes_in')),
    counter('websocket_sent_bytes_total', 'Bytes of text frames to clients', of('bytes_out')),
    counter(
      'websocket_ping_timeouts_total',
      'WebSockets cut because nothing came behind a ping',
      of('ping_timeouts'),
    ),
    counter(
      'websocket_slow_readers_total',
      'WebSockets cut because their client did not read',
      of('slow_readers'),
    ),
  ];
}

function nodes(reports: readonly [string, NodeReport][]): Metric[] {
  const each = (value: (report: NodeReport) => number): Sample[] =>
    reports.map(([node, report]) => ({ labels: { node }, value: value(report) }));
  return [
    gauge(
      'node_in_service',
      'Whether an ejabberd node takes requests',
      each((node) => Number(node.in_service)),
    ),
    gauge(
      'node_takes_sessions',
      'Whether an ejabberd node is given new sessions',
      each((node) => Number(node.takes_sessions)),
    ),
    gauge(
      'node_sessions',
      'Sessions of an ejabberd node, by its own word',
      each((node) => node.sessions),
    ),
    counter(
      'sessions_started_total',
      'Requests that start a session, by node',
      each((node) => node.sessions_started),
    ),
    gauge(
      'requests_on_the_way',
      'Requests sent to a node that it has not taken yet',
      each((node) => node.requests_on_the_way),
    ),
    gauge(
      'requests_waiting',
      'Requests that wait for a node to return or to take more',
      each((node) => node.requests_waiting),
    ),
  ];
}

function links({ links, delay }: Stats): Metric[] {
  const each = (value: (link: LinkReport) => number): Sample[] =>
    Object.entries(links).map(([node, link]) => ({ labels: { node }, value: value(link) }));
  return [
    gauge(
      'link_up',
      'Whether there is a connection to a node, of each process of the gateway',
      each(({ wanted, up }) => Number(wanted > 0 && up === wanted)),
    ),
    counter(
      'link_opened_total',
      'Connections to a node that came about',
      each(({ opened }) => opened),
    ),
    counter(
      'link_received_bytes_total',
      'Bytes of a node',
      each(({ bytes_in }) => bytes_in),
    ),
    counter(
      'link_sent_bytes_total',
      'Bytes to a node',
      each(({ bytes_out }) => bytes_out),
    ),
    counter(
      'link_received_messages_total',
      'Messages of a node',
      each(({ messages_in }) => messages_in),
    ),
    counter(
      'link_sent_messages_total',
      'Messages to a node',
      each(({ messages_out }) => messages_out),
    ),
    gauge(
      'link_queue_bytes',
      'Bytes that wait until a node reads them',
      each((link) => link.queued_bytes),
    ),
    gauge(
      'link_credit',
      'Requests that a node may be sent until it says that it took some',
      each(({ credit }) => credit),
    ),
    gauge(
      'link_credit_exhausted',
      'Processes of the gateway that may send a node no requests now',
      each(({ exhausted }) => exhausted),
    ),
    histogram(
      'node_delay_seconds',
      'From a mark among the requests for a node to its word that it took what was before',
      Object.entries(delay).flatMap(([node, durations]) => histogramSamples(durations, { node })),
    ),
  ];
}

function itself(stats: Stats): Metric[] {
  return [
    gauge(
      'state',
      'Whether the gateway is in service, or its clients are sent elsewhere: 1 for what it is',
      GATEWAY_STATES.map((state) => ({ labels: { state }, value: Number(state === stats.state) })),
    ),
    gauge(
      'certificate_expiry_timestamp_seconds',
      'When a certificate ends, in seconds since 1970',
      by('use', stats.certificate_ends),
    ),
    counter('log_lines_lost_total', 'Lines of the log that could not be written', one(stats.log_lines_lost)),
  ];
}

/** Where there are several. */
function workers(reports: readonly [string, WorkerReport][]): Metric[] {
  if (reports.length === 0) return [];
  const each = (value: (report: WorkerReport) => number): Sample[] =>
    reports.map(([worker, report]) => ({ labels: { worker }, value: value(report) }));
  return [
    gauge(
      'worker_up',
      'Whether a worker process runs and reports',
      each(({ up }) => Number(up)),
    ),
    counter(
      'worker_restarts_total',
      'How often a worker process was replaced',
      each(({ restarts }) => restarts),
    ),
  ];
}
