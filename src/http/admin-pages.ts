/**
 * What the admin port tells programs: `/health/ready` (whether clients are to come here; `/healthz` is the same),
 * `/health/live` (whether this process is to be let live) and `/metrics`.
 */

import { gatewayMetrics } from '../observe/metrics.js';
import { moduleMetrics } from '../observe/module-metrics.js';
import { METRICS_TYPE, prometheusText } from '../observe/prometheus.js';
import type { Reports } from '../observe/report.js';
import { json, page } from './admin-response.js';
import type { Response } from './response.js';

/** A page is the same for all: however many ask, it is made no more often than this. */
const KEPT_MS = 1_000;

export class AdminPages {
  readonly #pages: ReadonlyMap<string, Shared<Response>>;

  /** @param now milliseconds, never running backwards */
  constructor(reports: Reports, now: () => number) {
    // A balancer is to hear of its end at once.
    const ready = new Shared(
      () => readyPage(reports),
      now,
      () => reports.state(),
    );
    this.#pages = new Map([
      ['/health/ready', ready],
      ['/healthz', ready],
      ['/health/live', new Shared(livePage, now)],
      ['/metrics', new Shared(() => metricsPage(reports), now)],
    ]);
  }

  /** `undefined`: there is none. */
  read(path: string): Promise<Response> | undefined {
    return this.#pages.get(path)?.read();
  }
}

/** Made when somebody asks and the last one is old, or of another time; whoever asks meanwhile gets the same. */
class Shared<T> {
  readonly #make: () => Promise<T>;
  readonly #now: () => number;
  readonly #key: () => unknown;
  #latest: Promise<T> | undefined;
  #latestKey: unknown;
  #freshUntil = 0;

  /** @param key what was made with another one is old */
  constructor(make: () => Promise<T>, now: () => number, key: () => unknown = () => undefined) {
    this.#make = make;
    this.#now = now;
    this.#key = key;
  }

  read(): Promise<T> {
    const key = this.#key();
    if (this.#latest === undefined || this.#now() >= this.#freshUntil || key !== this.#latestKey) {
      this.#latestKey = key;
      this.#freshUntil = Number.POSITIVE_INFINITY;
      const making = this.#make();
      this.#latest = making;
      making.then(
        () => {
          this.#freshUntil = this.#now() + KEPT_MS;
        },
        () => {
          // Who asks next may be luckier.
          if (this.#latest === making) this.#latest = undefined;
        },
      );
    }
    return this.#latest;
  }
}

async function readyPage(reports: Reports): Promise<Response> {
  const report = reports.health();
  const status = report.status === 'unavailable' ? 503 : 200;
  return json(status, report);
}

async function livePage(): Promise<Response> {
  return json(200, { status: 'ok' });
}

async function metricsPage(reports: Reports): Promise<Response> {
  const { modules, processes } = await reports.asked();
  const metrics = [...gatewayMetrics(reports.stats()), ...moduleMetrics(modules), ...processes];
  return page(200, METRICS_TYPE, prometheusText(metrics));
}
