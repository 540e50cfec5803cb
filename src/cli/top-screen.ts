/** The lines of `megaphone top`: what operators look at first, first; as many as there is room for. */

import type { CometRow } from '../observe/comet-figures.js';
import type { Figures, Snapshot } from '../observe/figures.js';
import { printable } from './printable.js';
import { amount, bytes, number, per, seconds, span } from './units.js';

export interface Size {
  readonly columns: number;
  readonly rows: number;
}

/** @param size `undefined`: all lines, whole */
export function screenOf(snapshot: Snapshot, size: Size | undefined): string[] {
  const lines = linesOf(snapshot).map(printable);
  if (size === undefined) return lines;
  return lines.slice(0, size.rows).map((line) => [...line].slice(0, size.columns).join(''));
}

function linesOf({ at, gateway, figures: f, nodes, workers, comet, refused, warnings }: Snapshot): string[] {
  const reasons = Object.entries(refused).filter(([, count]) => count > 0);
  return [
    `${gateway.node}  ${gateway.state.replace('_', ' ')}, ${gateway.status}, up ${span(gateway.uptime_seconds)}  ${clock(at)}`,
    '',
    `connections ${amount(f.connections)}   held requests ${amount(f.held_requests)}   WebSockets ${amount(f.websockets)}   sessions ${amount(f.sessions)}`,
    `messages    in ${per(f.messages_in, number)}, out ${per(f.messages_out, number)}   bytes in ${per(f.bytes_in, bytes)}, out ${per(f.bytes_out, bytes)}   refused ${per(f.refused, number)}`,
    `answers     p50 ${seconds(f.latency_p50)}, p90 ${seconds(f.latency_p90)}, p99 ${seconds(f.latency_p99)}   ejabberd takes p50 ${seconds(f.delay_p50)}, p99 ${seconds(f.delay_p99)}`,
    `machine     ${number(100 * (f.cpu ?? 0))} % of a core, ${bytes(f.memory_bytes)}   event loop ${seconds(f.event_loop_delay)} late   ${bytes(f.link_queue_bytes)} wait for ejabberd`,
    '',
    ...table(
      ['NODE', 'STATE', 'LINK', 'TLS', 'SESSIONS', 'SENT', 'RECEIVED', 'CREDIT', 'WAITING', 'TAKES'],
      nodes.map((node) => [
        node.node,
        node.in_service ? node.state.replace('_', ' ') : 'out of service',
        `${node.link.up}/${node.link.wanted}`,
        node.link.tls || 'no',
        amount(node.sessions),
        per(node.link.bytes_out, bytes),
        per(node.link.bytes_in, bytes),
        amount(node.credit),
        amount(node.requests_waiting),
        seconds(node.delay_p50),
      ]),
    ),
    ...nodes.flatMap(({ node, reason, mend }) =>
      reason === '' ? [] : [`  ${node}: ${reason}`, ...(mend === '' ? [] : [`    → ${mend}`])],
    ),
    ...(comet === undefined ? [] : cometLines(comet, f)),
    '',
    ...table(
      ['PROCESS', 'PID', 'STATE', 'CORE', 'MEMORY', 'LATE'],
      workers.map((worker) => [
        worker.name,
        `${worker.pid}`,
        worker.up ? 'up' : 'does not answer',
        `${number(100 * worker.cpu)} %`,
        bytes(worker.memory_bytes),
        seconds(worker.event_loop_delay),
      ]),
    ),
    '',
    ...(reasons.length === 0
      ? []
      : [`refused so far: ${reasons.map(([cause, count]) => `${cause} ${amount(count)}`).join(', ')}`, '']),
    ...[...warnings]
      .reverse()
      .map(
        ({ at: then, level, text, code }) =>
          `${clock(then)} ${level} ${text}${code === undefined ? '' : ` [${code}]`}`,
      ),
  ];
}

function cometLines({ listeners, counts, routers }: CometRow, f: Figures): string[] {
  const pages = Object.entries(listeners).map(([transport, count]) => `${transport} ${amount(count)}`);
  return [
    '',
    `comet       pages ${amount(f.comet_pages)} (${pages.join(', ')})   ids ${amount(f.comet_ids)}`,
    `            messages ${per(f.comet_messages, number)}, deliveries ${per(f.comet_deliveries, number)}   fan-out p50 ${seconds(f.comet_fanout_p50)}, p99 ${seconds(f.comet_fanout_p99)}   gaps ${amount(counts.gaps ?? 0)}, slow readers ${amount(counts.slow_readers ?? 0)}`,
    ...table(
      ['ROUTER', 'STATE', 'TAKES'],
      routers.map(({ node, state, welcome, wanted }) => [node, state, `${welcome}/${wanted}`]),
    ),
  ];
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const widths = head.map((name, column) =>
    Math.max(name.length, ...rows.map((row) => (row[column] ?? '').length)),
  );
  return [head, ...rows].map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

const clock = (at: number): string => new Date(1000 * at).toTimeString().slice(0, 8);
