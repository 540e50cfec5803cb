/** What the nodes' `mod_megaphone` counts, as metrics `megaphone_ejabberd_…` with the node as their label. */

import { histogramSamples } from './histogram.js';
import type { Metric, Sample } from './prometheus.js';

/** Counters and gauges by name; those of a group by their names within it. */
export type ModuleCounts = { readonly [name: string]: number | { readonly [member: string]: number } };
/** By node. */
export type ModuleStats = { readonly [node: string]: ModuleCounts };

/** The rest counts what was. */
const GAUGES: ReadonlySet<string> = new Set([
  'draining',
  'forwarders',
  'sessions',
  'sessions_established',
  'sessions_paused',
  'sessions_unauthenticated',
  'sessions_websocket',
  'sessions_resumable',
  'requests_held',
  'forwarders',
  'draining',
]);
/** Counters whose names there say less than Prometheus' rules ask for. */
const NAMES: Readonly<Record<string, string>> = {
  bytes_in: 'received_bytes',
  bytes_out: 'sent_bytes',
  stanzas_in: 'received_stanzas',
  stanzas_out: 'sent_stanzas',
};
/** A group: how many logins took how many milliseconds, by upper bound, and `sum`. */
const LOGIN = 'login_ms';

export function moduleMetrics(stats: ModuleStats): Metric[] {
  const names = new Set(Object.values(stats).flatMap((counts) => Object.keys(counts)));
  return [...names].map((name) => (name === LOGIN ? login(stats) : metric(name, stats)));
}

function metric(name: string, stats: ModuleStats): Metric {
  const isGauge = GAUGES.has(name);
  const samples = Object.entries(stats).flatMap(([node, { [name]: value = {} }]): Sample[] => {
    if (typeof value === 'number') return [{ labels: { node }, value }];
    return Object.entries(value).map(([kind, count]) => ({ labels: { node, kind }, value: count }));
  });
  return {
    name: `megaphone_ejabberd_${NAMES[name] ?? name}${isGauge ? '' : '_total'}`,
    type: isGauge ? 'gauge' : 'counter',
    help: `mod_megaphone's ${name}`,
    samples,
  };
}

function login(stats: ModuleStats): Metric {
  const samples = Object.entries(stats).flatMap(([node, { [LOGIN]: counts }]) => {
    if (typeof counts !== 'object') return [];
    const bounds = Object.entries(counts).map(([bound, count]) => [inSeconds(bound), count] as const);
    const sum = (counts.sum ?? 0) / 1000;
    return histogramSamples({ ...Object.fromEntries(bounds), sum }, { node });
  });
  return {
    name: 'megaphone_ejabberd_login_duration_seconds',
    type: 'histogram',
    help: 'From the start of a session to its login',
    samples,
  };
}

const inSeconds = (bound: string): string =>
  bound === 'sum' ? bound : bound === 'infinity' ? '+Inf' : String(Number(bound) / 1000);
