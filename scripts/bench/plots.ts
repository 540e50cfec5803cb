/** The plots of the documentation, from the results of `make bench`. */

import { KINDS, NAMES } from './lib/server.js';
import { bars, lines, type Part } from './lib/svg-chart.js';
import type { Usage } from './lib/usage.js';
import type { Results, Side } from './results.js';

const PARTS: readonly Part[] = [
  { name: 'ejabberd', color: '#2a6f97' },
  { name: 'gateway', color: '#f4a259' },
];
const COLORS = { own: '#2a6f97', megaphone: '#e07a2f' } as const;
const SHORT = { own: 'own BOSH', megaphone: 'Megaphone' } as const;

const barsOf = (results: Results, of: (side: Side) => Usage | undefined, scale: number) =>
  KINDS.map((kind) => {
    const { ejabberd = 0, gateway = 0 } = of(results[kind]) ?? {};
    return { label: SHORT[kind], values: [ejabberd * scale, gateway * scale] };
  });

export const memoryPlot = (results: Results): string =>
  bars({
    title: 'Memory of an idle user',
    unit: 'kB resident',
    parts: PARTS,
    groups: [{ label: '', bars: barsOf(results, ({ memory }) => memory, 1e-3) }],
  });

export const cpuPlot = (results: Results): string =>
  bars({
    title: 'Processor time for a delivered message',
    unit: 'microseconds',
    parts: PARTS,
    groups: results.own.traffic.map(({ rate }, index) => ({
      label: `${rate} messages a second`,
      bars: barsOf(results, ({ traffic }) => traffic[index]?.cpu, 1e6),
    })),
  });

export const latencyPlot = (results: Results): string =>
  lines({
    title: 'Latency by load',
    unit: 'ms from due to delivered, p99',
    xTitle: 'messages a second',
    limit: { y: 100, label: 'clean below 100 ms' },
    series: KINDS.map((kind) => ({
      name: NAMES[kind],
      color: COLORS[kind],
      points: curve(results[kind]),
    })),
  });

/** The measured rates and the tries, with the better one where a rate was tried twice. */
function curve({ traffic, steps }: Side): [number, number][] {
  const best = new Map<number, number>();
  for (const { rate, latency } of [...traffic, ...steps]) {
    best.set(rate, Math.min(latency.p99, best.get(rate) ?? Infinity));
  }
  return [...best].sort(([a], [b]) => a - b);
}
