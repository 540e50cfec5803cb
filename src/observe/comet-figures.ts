/** What operators look at of comet, as figures.ts has it of all else. */

import type { CometReport, RouterReport } from './comet-counters.js';
import { type Durations, quantile } from './histogram.js';
import { type Counts, total } from './sums.js';

export const COMET_FIGURES = [
  'comet_pages',
  'comet_ids',
  'comet_messages',
  'comet_deliveries',
  'comet_fanout_p50',
  'comet_fanout_p99',
] as const;
type CometFigures = Readonly<Record<(typeof COMET_FIGURES)[number], number | null>>;

export type CometRow = {
  /** By transport: the pages that listen. */
  readonly listeners: Counts;
  /** Since the start. */
  readonly counts: Counts;
  readonly ring: Counts;
  readonly routers: readonly (RouterReport & { readonly node: string })[];
};

const OFF: CometFigures = {
  comet_pages: null,
  comet_ids: null,
  comet_messages: null,
  comet_deliveries: null,
  comet_fanout_p50: null,
  comet_fanout_p99: null,
};

/** @param rate of a counter that adds up; @param recent what took how long of late */
export function cometFigures(
  now: CometReport | undefined,
  rate: (of: (comet: CometReport | undefined) => number) => number,
  recent: (of: (comet: CometReport | undefined) => Durations) => Durations,
): CometFigures {
  if (now === undefined) return OFF;
  const fanout = recent((comet) => comet?.latency.fanout ?? {});
  return {
    comet_pages: total(now.listeners),
    comet_ids: now.ids,
    comet_messages: rate((comet) => total(comet?.messages ?? {})),
    comet_deliveries: rate((comet) => comet?.deliveries ?? 0),
    comet_fanout_p50: quantile(fanout, 0.5),
    comet_fanout_p99: quantile(fanout, 0.99),
  };
}

export const cometRow = ({ listeners, gaps, slow_readers, replays, dropped, ring, routers }: CometReport) =>
  ({
    listeners,
    counts: { gaps, slow_readers, ...replays, ...dropped },
    ring,
    routers: Object.entries(routers).map(([node, router]) => ({ node, ...router })),
  }) satisfies CometRow;
