/** `/healthz` and `/metrics` for operators, on a listener of their own that clients cannot reach. */

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { METRICS_TYPE, prometheusText } from '../observe/metrics.js';
import { moduleMetrics } from '../observe/module-metrics.js';
import type { Reports } from '../observe/report.js';
import { listen } from './listen.js';

interface Page {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

export class AdminServer {
  readonly #server: Server;

  private constructor(reports: Reports) {
    this.#server = createServer(async (request, response) => {
      const { status, type, text } = await page(request.url?.split('?', 1)[0] ?? '', reports);
      response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(text);
    });
    this.#server.maxConnections = 100;
  }

  /** @throws MegaphoneError HTTP_LISTEN */
  static async listen(ip: string, port: number, reports: Reports): Promise<AdminServer> {
    const admin = new AdminServer(reports);
    await listen(admin.#server, ip, port);
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

async function page(path: string, reports: Reports): Promise<Page> {
  if (path === '/healthz') {
    const report = reports.health();
    const status = report.status === 'unavailable' ? 503 : 200;
    return { status, type: 'application/json', text: `${JSON.stringify(report)}\n` };
  }
  if (path === '/metrics') {
    const text = prometheusText(reports.stats()) + moduleMetrics(await reports.modules());
    return { status: 200, type: METRICS_TYPE, text };
  }
  return { status: 404, type: 'text/plain; charset=utf-8', text: 'Here are /healthz and /metrics.\n' };
}
