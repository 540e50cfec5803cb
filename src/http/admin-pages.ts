/**
 * What the admin port tells, and to whom: `/health/ready` (whether clients are to come here; `/healthz` is the same),
 * `/health/live` (whether this process is to be let live) and `/metrics`.
 */

import type { Header } from '../gateway/answers.js';
import { gatewayMetrics } from '../observe/metrics.js';
import { moduleMetrics } from '../observe/module-metrics.js';
import { METRICS_TYPE, prometheusText } from '../observe/prometheus.js';
import type { Reports } from '../observe/report.js';
import type { AdminHosts } from './admin-hosts.js';
import type { RequestParser } from './request-parser.js';
import type { Response } from './response.js';

/** A page is the same for all: however many ask, it is made no more often than this. */
const KEPT_MS = 1_000;

export class AdminPages {
  readonly #hosts: AdminHosts;
  readonly #pages: ReadonlyMap<string, Shared<Response>>;

  /** @param now milliseconds, never running backwards */
  constructor(hosts: AdminHosts, reports: Reports, now: () => number) {
    this.#hosts = hosts;
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

  /** @param request whose head was read, or that cannot be */
  answer(request: RequestParser): Response | Promise<Response> {
    if (request.status !== 0) return plain(request.status, 'That was no request.');
    const host = request.header('host');
    if (request.method !== 'GET' && request.method !== 'HEAD') {
      return plain(405, 'Only GET and HEAD.', ['allow', 'GET, HEAD']);
    }
    // RFC 9110 §15.5.20. A request of HTTP/1.0 may have none: no browser sends it.
    if (host !== undefined && !this.#hosts.has(host)) {
      return plain(421, 'This is not my name. If it should be, put it into admin_hosts.');
    }
    return (
      this.#pages.get(request.path)?.read() ??
      plain(404, 'Here are /health/ready, /health/live and /metrics.')
    );
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
      this.#latest = this.#make().finally(() => {
        this.#freshUntil = this.#now() + KEPT_MS;
      });
    }
    return this.#latest;
  }
}

function page(status: number, type: string, text: string, ...headers: Header[]): Response {
  const body = Buffer.from(text);
  return { status, headers: [['content-type', type], ['cache-control', 'no-store'], ...headers], body };
}

const plain = (status: number, text: string, ...headers: Header[]): Response =>
  page(status, 'text/plain; charset=utf-8', `${text}\n`, ...headers);

async function readyPage(reports: Reports): Promise<Response> {
  const report = reports.health();
  const status = report.status === 'unavailable' ? 503 : 200;
  return page(status, 'application/json', `${JSON.stringify(report)}\n`);
}

async function livePage(): Promise<Response> {
  return page(200, 'application/json', `${JSON.stringify({ status: 'ok' })}\n`);
}

async function metricsPage(reports: Reports): Promise<Response> {
  const { modules, processes } = await reports.asked();
  const metrics = [...gatewayMetrics(reports.stats()), ...moduleMetrics(modules), ...processes];
  return page(200, METRICS_TYPE, prometheusText(metrics));
}
