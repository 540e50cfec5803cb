/**
 * What operators look at, second by second, out of statistics that only ever add up: rates of the last seconds, and how long
 * nine of ten had to wait. It costs the same however many sessions there are.
 */

import { COMET_FIGURES, type CometRow, cometFigures, cometRow } from './comet-figures.js';
import { type Durations, quantile } from './histogram.js';
import type { LinkReport, NodeReport, Stats } from './report.js';
import type { Usage } from './usage.js';
import type { Warning } from './warnings.js';

/** Over how many seconds rates are taken: reports of workers come a little earlier or later. */
const RATE = 3;
/** Over how many it is told how long answers took. */
const LATENCY = 10;
/** Seconds. An answer that took longer was held, with nothing to tell: that is no delay. */
const HELD = 1;

/** `null`: not known, as there was none. */
export type Figures = Readonly<Record<FigureName, number | null>>;
export const FIGURES = [
  'connections',
  'held_requests',
  'websockets',
  'sessions',
  'messages_in',
  'messages_out',
  'bytes_in',
  'bytes_out',
  'latency_p50',
  'latency_p90',
  'latency_p99',
  'delay_p50',
  'delay_p99',
  'cpu',
  'memory_bytes',
  'event_loop_delay',
  'link_queue_bytes',
  'refused',
  ...COMET_FIGURES,
] as const;
export type FigureName = (typeof FIGURES)[number];

export interface Snapshot {
  /** Seconds since 1970. */
  readonly at: number;
  readonly gateway: Pick<Stats, 'node' | 'state' | 'status' | 'uptime_seconds' | 'certificate_ends'>;
  readonly figures: Figures;
  readonly nodes: readonly NodeRow[];
  readonly workers: readonly WorkerRow[];
  /** Only where it is on. */
  readonly comet?: CometRow;
  /** Since the start. */
  readonly refused: Stats['refused'];
  readonly warnings: readonly Warning[];
}

type NodeRow = Omit<NodeReport, 'hint' | 'tls'> & {
  readonly node: string;
  readonly mend: string;
  readonly link: Omit<LinkReport, 'credit' | 'exhausted'> & { readonly tls: string };
  readonly credit: number;
  readonly exhausted: number;
  readonly delay_p50: number | null;
  readonly delay_p99: number | null;
};

type WorkerRow = Omit<Usage, 'cpu_seconds'> & {
  readonly name: string;
  readonly up: boolean;
  readonly restarts: number;
  readonly cpu: number;
};

/** What was counted, and when, in seconds. */
interface Seen {
  readonly at: number;
  readonly stats: Stats;
}

export class FigureTrack {
  /** The oldest first: as many as a look back needs. */
  #seen: readonly Seen[] = [];

  /** To be called once a second. @param now seconds, never running backwards; @param time Date.now() */
  add(stats: Stats, now: number, time: number): Snapshot {
    this.#seen = [...this.#seen, { at: now, stats }].slice(-LATENCY - 1);
    const before = this.#seen.at(-RATE - 1) ?? (this.#seen[0] as Seen);
    const seconds = Math.max(now - before.at, 0.1);
    return snapshot(stats, before.stats, seconds, this.#seen[0]?.stats ?? stats, time / 1000);
  }
}

function snapshot(now: Stats, before: Stats, seconds: number, earlier: Stats, at: number): Snapshot {
  const { node, state, status, uptime_seconds, certificate_ends, refused, warnings } = now;
  const rate = (of: (stats: Stats) => number): number => perSecond(of(now), of(before), seconds);
  const latency = recent(latencyOf(now), latencyOf(earlier), HELD);
  const delay = recent(summed(Object.values(now.delay)), summed(Object.values(earlier.delay)));
  const workers = workerRows(now, before, seconds);
  return {
    at,
    gateway: { node, state, status, uptime_seconds, certificate_ends },
    figures: {
      connections: now.connections,
      held_requests: now.open_exchanges,
      websockets: now.websockets,
      sessions: add(Object.values(now.nodes).map(({ sessions }) => sessions)),
      messages_in: rate(({ requests, websocket }) => requests + (websocket.frames_in ?? 0)),
      messages_out: rate(
        ({ answers, websocket }) => add(Object.values(answers)) + (websocket.frames_out ?? 0),
      ),
      bytes_in: rate(({ bytes_in, websocket }) => bytes_in + (websocket.bytes_in ?? 0)),
      bytes_out: rate(({ bytes_out, websocket }) => bytes_out + (websocket.bytes_out ?? 0)),
      latency_p50: quantile(latency, 0.5),
      latency_p90: quantile(latency, 0.9),
      latency_p99: quantile(latency, 0.99),
      delay_p50: quantile(delay, 0.5),
      delay_p99: quantile(delay, 0.99),
      cpu: add(workers.map(({ cpu }) => cpu)),
      memory_bytes: add(workers.map(({ memory_bytes }) => memory_bytes)),
      event_loop_delay: Math.max(0, ...workers.map(({ event_loop_delay }) => event_loop_delay)),
      link_queue_bytes: add(Object.values(now.links).map(({ queued_bytes }) => queued_bytes)),
      refused: rate((stats) => add(Object.values(stats.refused))),
      ...cometFigures(
        now.comet,
        (of) => rate(({ comet }) => of(comet)),
        (of) => recent(of(now.comet), of(earlier.comet)),
      ),
    },
    nodes: Object.keys(now.nodes).flatMap((name) => nodeRow(name, now, before, seconds, earlier)),
    workers,
    ...(now.comet === undefined ? {} : { comet: cometRow(now.comet) }),
    refused,
    warnings,
  };
}

function nodeRow(name: string, now: Stats, before: Stats, seconds: number, earlier: Stats): NodeRow[] {
  const [node, link] = [now.nodes[name], now.links[name]];
  if (node === undefined || link === undefined) return [];
  const { hint, tls, ...report } = node;
  const { credit, exhausted, ...traffic } = link;
  const past = before.links[name] ?? link;
  const rate = (of: 'bytes_in' | 'bytes_out' | 'messages_in' | 'messages_out'): number =>
    perSecond(link[of], past[of], seconds);
  const delay = recent(now.delay[name] ?? {}, earlier.delay[name] ?? {});
  return [
    {
      node: name,
      ...report,
      mend: hint,
      link: {
        ...traffic,
        bytes_in: rate('bytes_in'),
        bytes_out: rate('bytes_out'),
        messages_in: rate('messages_in'),
        messages_out: rate('messages_out'),
        tls,
      },
      credit,
      exhausted,
      delay_p50: quantile(delay, 0.5),
      delay_p99: quantile(delay, 0.99),
    },
  ];
}

/** One row for each process, the primary first. */
function workerRows(now: Stats, before: Stats, seconds: number): WorkerRow[] {
  const names = new Set([...Object.keys(now.usage).sort(primaryFirst), ...Object.keys(now.workers ?? {})]);
  return [...names].map((name) => {
    const { pid, cpu_seconds, ...usage } = now.usage[name] ?? NO_USAGE;
    const past = before.usage[name];
    const report = now.workers?.[name] ?? { up: true, pid, restarts: 0 };
    const since = past?.pid === pid ? past.cpu_seconds : cpu_seconds;
    return { name, ...report, ...usage, cpu: perSecond(cpu_seconds, since, seconds) };
  });
}

const NO_USAGE: Usage = { pid: 0, cpu_seconds: 0, memory_bytes: 0, event_loop_delay: 0 };
const primaryFirst = (a: string, b: string): number =>
  Number(b === 'primary') - Number(a === 'primary') || a.localeCompare(b);

/** What only ever grows may begin anew with its process. */
const perSecond = (now: number, before: number, seconds: number): number =>
  Math.max(0, now - before) / seconds;

const add = (numbers: readonly number[]): number => numbers.reduce((sum, number) => sum + number, 0);

const latencyOf = ({ latency }: Stats): Durations => summed(Object.values(latency));

function summed(durations: readonly Durations[]): Durations {
  const sum: Record<string, number> = {};
  for (const one of durations) {
    for (const [bound, count] of Object.entries(one)) sum[bound] = (sum[bound] ?? 0) + count;
  }
  return sum;
}

/** What came since. @param longest seconds: what took longer is left out */
function recent(now: Durations, earlier: Durations, longest = Number.POSITIVE_INFINITY): Durations {
  const counts = Object.entries(now).filter(
    ([bound]) => longest === Number.POSITIVE_INFINITY || Number(bound) <= longest,
  );
  return Object.fromEntries(
    counts.map(([bound, count]) => [bound, Math.max(0, count - (earlier[bound] ?? 0))]),
  );
}
