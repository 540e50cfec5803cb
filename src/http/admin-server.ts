/** `/healthz` and `/metrics` for operators, on a listener of their own that clients cannot reach. */

import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { METRICS_TYPE, prometheusText } from '../observe/metrics.js';
import { moduleMetrics } from '../observe/module-metrics.js';
import { health, type Sources, stats } from '../observe/report.js';
import { listen } from './listen.js';

interface Page {
  readonly status: number;
  readonly type: string;
  readonly text: string;
}

export class AdminServer {
  readonly #server: Server;

  private constructor(sources: Sources) {
    this.#server = createServer(async (request, response) => {
      const { status, type, text } = await page(request.url?.split('?', 1)[0] ?? '', sources);
      response.writeHead(status, { 'content-type': type, 'cache-control': 'no-store' }).end(text);
    });
    this.#server.maxConnections = 100;
  }

  /** @throws MegaphoneError HTTP_LISTEN */
  static async listen(ip: string, port: number, sources: Sources): Promise<AdminServer> {
    const admin = new AdminServer(sources);
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

async function page(path: string, sources: Sources): Promise<Page> {
  if (path === '/healthz') {
    const report = health(sources);
    const status = report.status === 'ok' ? 200 : 503;
    return { status, type: 'application/json', text: `${JSON.stringify(report)}\n` };
  }
  if (path === '/metrics') {
    const text = prometheusText(stats(sources)) + moduleMetrics(await sources.modules());
    return { status: 200, type: METRICS_TYPE, text };
  }
  return { status: 404, type: 'text/plain; charset=utf-8', text: 'Here are /healthz and /metrics.\n' };
}
