/** Comet's metrics: there where it is on. docs/metrics.md names each. */

import type { CometReport } from './comet-counters.js';
import { histogramSamples } from './histogram.js';
import { by, counter, gauge, histogram, type Metric, one } from './prometheus.js';

export function cometMetrics(comet: CometReport | undefined): Metric[] {
  if (comet === undefined) return [];
  const { ring, latency, routers } = comet;
  const durations = (kind: string) => histogramSamples(latency[kind] ?? {}, {});
  return [
    gauge('comet_listeners', 'Pages that listen', by('transport', comet.listeners)),
    counter('comet_opened_total', 'Pages that began to listen', by('transport', comet.opened)),
    gauge('comet_ids', 'Ids that somebody listens to, of each process of the gateway', one(comet.ids)),
    counter('comet_messages_total', 'Messages for an id that came', by('way', comet.messages)),
    counter('comet_deliveries_total', 'Messages written to a page', one(comet.deliveries)),
    counter('comet_dropped_total', 'Messages given to no page', by('reason', comet.dropped)),
    counter('comet_gaps_total', 'Pages told that they have missed something', one(comet.gaps)),
    counter('comet_replays_total', 'Questions for what is missing', by('for', comet.replays)),
    counter(
      'comet_slow_readers_total',
      'Pages cut because they did not read, which come back with their place',
      one(comet.slow_readers),
    ),
    histogram(
      'comet_fanout_seconds',
      'From a message that came to the last page that was written',
      durations('fanout'),
    ),
    histogram(
      'comet_opening_seconds',
      'From a page that asked to its place among the messages',
      durations('opening'),
    ),
    gauge('comet_ring_messages', "Messages in the gateway's own ring", one(ring.messages ?? 0)),
    gauge('comet_ring_bytes', 'Memory of these', one(ring.bytes ?? 0)),
    gauge(
      'comet_router_welcome',
      'Whether a router takes the logins of each process of the gateway',
      Object.entries(routers).map(([node, { wanted, welcome }]) => ({
        labels: { node },
        value: Number(wanted > 0 && welcome === wanted),
      })),
    ),
  ];
}
