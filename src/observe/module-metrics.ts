/** What the nodes' `mod_megaphone` counts, as metrics `megaphone_ejabberd_…` with the node as their label. */

import { escapeLabel, head } from './prometheus.js';

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
  'sessions_resumable',
  'sessions_unauthenticated',
  'sessions_websocket',
  'requests_held',
]);

export function moduleMetrics(stats: ModuleStats): string {
  const names = new Set(Object.values(stats).flatMap((counts) => Object.keys(counts)));
  return [...names].map((name) => metric(name, stats)).join('');
}

function metric(name: string, stats: ModuleStats): string {
  const full = `ejabberd_${name}${GAUGES.has(name) ? '' : '_total'}`;
  const samples = Object.entries(stats).flatMap(([node, { [name]: value = {} }]) => {
    const label = `node="${escapeLabel(node)}"`;
    if (typeof value === 'number') return [`megaphone_${full}{${label}} ${value}\n`];
    return Object.entries(value).map(
      ([member, count]) => `megaphone_${full}{${label},kind="${escapeLabel(member)}"} ${count}\n`,
    );
  });
  return head(full, `mod_megaphone's ${name}`) + samples.join('');
}
