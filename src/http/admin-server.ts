/** `/healthz` and `/metrics` for operators, on a listener of their own that clients cannot reach. */

import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Config } from '../config/schema.js';
import { METRICS_TYPE, prometheusText } from '../observe/metrics.js';
import { moduleMetrics } from '../observe/module-metrics.js';
import type { Reports } from '../observe/report.js';
import { AdminHosts } from './admin-hosts.js';
import { listen } from './listen.js';

export type AdminConfig = Pick<Config, 'node' | 'admin_ip' | 'admin_port' | 'admin_hosts'>;

interface Page {
  readonly status: number;
  readonly type: string;
  readonly text: string;
  readonly headers?: { readonly [name: string]: string };
}

const MAX_CONNECTIONS = 100;
/** Milliseconds for the headers of a request, for all of it, and between two: nobody here has much to say. */
const TIMEOUTS = { headersTimeout: 5_000, requestTimeout: 10_000, keepAliveTimeout: 5_000 };
const CHECKED_EACH_MS = 1_000;

export class AdminServer {
  readonly #server: Server;

  private constructor(config: AdminConfig, reports: Reports) {
    const hosts = new AdminHosts(config);
    const settings = { ...TIMEOUTS, connectionsCheckingInterval: CHECKED_EACH_MS };
    this.#server = createServer(settings, async (request, response) => {
      const { status, type, text, headers } = refusal(request, hosts) ?? (await page(request, reports));
      response.writeHead(status, {
        'content-type': type,
        'cache-control': 'no-store',
        'x-content-type-options': 'nosniff',
        ...headers,
      });
      response.end(text);
    });
    this.#server.maxConnections = MAX_CONNECTIONS;
  }

  /** @throws MegaphoneError HTTP_LISTEN */
  static async listen(config: AdminConfig, reports: Reports): Promise<AdminServer> {
    const admin = new AdminServer(config, reports);
    await listen(admin.#server, config.admin_ip, config.admin_port);
    return admin;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#server.close(resolve));
    this.#server.closeAllConnections();
    await closed;
  }
}

const plain = (status: number, text: string, headers: Page['headers'] = {}): Page => ({
  status,
  type: 'text/plain; charset=utf-8',
  text: `${text}\n`,
  headers,
});

/** A connection that began with nonsense does not go on. */
function refusal({ method, headers }: IncomingMessage, hosts: AdminHosts): Page | undefined {
  const { host } = headers;
  if (method !== 'GET' && method !== 'HEAD') {
    return plain(405, 'Only GET and HEAD.', { allow: 'GET, HEAD', connection: 'close' });
  }
  // RFC 9110 §15.5.20. A request of HTTP/1.0 may have none: no browser sends it.
  if (host !== undefined && !hosts.has(host)) {
    return plain(421, 'This is not my name. If it should be, put it into admin_hosts.', {
      connection: 'close',
    });
  }
  return undefined;
}

async function page({ url = '' }: IncomingMessage, reports: Reports): Promise<Page> {
  const [path] = url.split('?', 1);
  if (path === '/healthz') {
    const report = reports.health();
    const status = report.status === 'unavailable' ? 503 : 200;
    return { status, type: 'application/json', text: `${JSON.stringify(report)}\n` };
  }
  if (path === '/metrics') {
    const text = prometheusText(reports.stats()) + moduleMetrics(await reports.modules());
    return { status: 200, type: METRICS_TYPE, text };
  }
  return plain(404, 'Here are /healthz and /metrics.');
}
