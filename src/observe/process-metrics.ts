/**
 * What Node.js and the system tell of this process: prom-client's `process_…` and `nodejs_…`, as far as they cost the same
 * however many connections there are. Handles and requests are listed one by one for each look, on the event loop: left out.
 * Open files are counted by the kernel (from Linux 6.2 on), or read in pieces between which others have their turn.
 */

import { opendir, stat } from 'node:fs/promises';
import { getHeapStatistics } from 'node:v8';
import { collectDefaultMetrics, Gauge, Registry } from 'prom-client';
import type { Metric } from './prometheus.js';

const COSTLY: readonly string[] = [
  'nodejs_active_resources',
  'nodejs_active_resources_total',
  'nodejs_active_handles',
  'nodejs_active_handles_total',
  'nodejs_active_requests',
  'nodejs_active_requests_total',
  'process_open_fds',
];
/** Milliseconds between two looks at how late the event loop is. */
const PRECISION = 20;
const OPEN_FILES = '/proc/self/fd';

/** Plain data: workers tell theirs to their primary. */
export type ProcessMetrics = readonly Metric[];

export class ProcessReport {
  readonly #registry = new Registry();

  /** From here on the event loop is watched. */
  constructor() {
    const registers = [this.#registry];
    collectDefaultMetrics({ register: this.#registry, eventLoopMonitoringPrecision: PRECISION });
    for (const name of COSTLY) this.#registry.removeSingleMetric(name);
    new Gauge({
      name: 'process_open_fds',
      help: 'Number of open file descriptors.',
      registers,
      async collect() {
        this.set(await openFiles());
      },
    });
    new Gauge({
      name: 'megaphone_heap_limit_bytes',
      help: 'What the heap of the process may grow to before it ends for want of memory',
      registers,
    }).set(getHeapStatistics().heap_size_limit);
  }

  async read(): Promise<ProcessMetrics> {
    const metrics = await this.#registry.getMetricsAsJSON();
    return metrics.map(({ name, help, type, values }) => ({
      name,
      help,
      type: String(type),
      // What is not known yet is no number, which JSON between processes has not.
      samples: (values as readonly Value[])
        .filter(({ value }) => Number.isFinite(value))
        .map(({ labels, value, metricName }) => ({
          labels,
          value,
          ...(metricName === undefined ? {} : { suffix: metricName.slice(name.length) }),
        })),
    }));
  }
}

/** Of histograms prom-client names each sample; its types do not say so. */
interface Value {
  readonly labels: Record<string, string | number>;
  readonly value: number;
  readonly metricName?: string;
}

async function openFiles(): Promise<number> {
  try {
    const { size } = await stat(OPEN_FILES);
    if (size > 0) return size;
    let count = 0;
    for await (const _ of await opendir(OPEN_FILES, { bufferSize: 256 })) count += 1;
    return count;
  } catch {
    return Number.NaN;
  }
}

/** Of several processes, each with its name as a label `worker`. */
export function withWorkers(
  reports: readonly (readonly [worker: string, metrics: ProcessMetrics])[],
): ProcessMetrics {
  const merged = new Map<string, Metric>();
  for (const [worker, metrics] of reports) {
    for (const metric of metrics) {
      const samples = metric.samples.map((sample) => ({ ...sample, labels: { worker, ...sample.labels } }));
      const before = merged.get(metric.name)?.samples ?? [];
      merged.set(metric.name, { ...metric, samples: [...before, ...samples] });
    }
  }
  return [...merged.values()];
}
