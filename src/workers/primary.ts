/**
 * The primary process of several workers: starts and replaces them, accepts connections and deals them out, and shows
 * their health and statistics as one gateway's. It holds no connections and is no Erlang node, so its limits are not the
 * gateway's.
 */

import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { Config } from '../config/schema.js';
import { workerConfigs } from '../config/workers.js';
import { AdminServer } from '../http/admin-server.js';
import { TICKET_KEYS } from '../http/certificate.js';
import { standardOutput } from '../observe/log-output.js';
import type { ModuleStats } from '../observe/module-metrics.js';
import type { Health, Reports, Stats } from '../observe/report.js';
import { addPrimary, NOTHING, retire, total } from '../observe/totals.js';
import { Dealer } from './dealer.js';
import { WorkerSlot } from './worker-slot.js';

export class Primary implements Reports {
  readonly #node: string;
  readonly #dealer: Dealer;
  readonly #slots: readonly WorkerSlot[];
  #admin: AdminServer | undefined;
  #retired = NOTHING;

  /** @throws MegaphoneError as `Service.start`, GATEWAY_WORKER_… */
  static async start(config: Config, log: Logger): Promise<Primary> {
    const primary = new Primary(config, log);
    try {
      // First, so that whoever sees the HTTP port open can ask how far the workers are.
      if (config.admin_port !== 0) primary.#admin = await AdminServer.listen(config, primary);
      await primary.#dealer.listen(config.http_ip, config.http_port);
      await Promise.all(primary.#slots.map((slot) => slot.start()));
      return primary;
    } catch (error) {
      await primary.stop();
      throw error;
    }
  }

  private constructor(config: Config, log: Logger) {
    this.#node = config.node;
    const dealer = new Dealer(config.max_connections, log);
    this.#dealer = dealer;
    const ticketKeys = randomBytes(TICKET_KEYS).toString('base64');
    this.#slots = workerConfigs(config).map(
      (worker) =>
        new WorkerSlot({ type: 'begin', config: worker, ticketKeys }, dealer, log, (stats) => {
          this.#retired = retire(this.#retired, stats);
        }),
    );
  }

  /** Of the BOSH endpoint. */
  get port(): number {
    return this.#dealer.port;
  }

  health(): Health {
    const { status, nodes, workers = {} } = this.stats();
    return { status, nodes, workers };
  }

  stats(): Stats {
    const whole = { node: this.#node, uptime_seconds: Math.floor(process.uptime()) };
    return total(
      whole,
      this.#slots.map(({ state }) => state),
      addPrimary(this.#retired, this.#dealer.refused, standardOutput.lost),
    );
  }

  /** All workers are asked, for one may reach a node that another does not. */
  async modules(): Promise<ModuleStats> {
    const answers = await Promise.all(this.#slots.map((slot) => slot.modules()));
    return Object.assign({}, ...answers);
  }

  /** Each worker reads the certificate again. */
  reload(): void {
    for (const slot of this.#slots) slot.reload();
  }

  /** Each worker ends its held requests with 503. */
  async stop(): Promise<void> {
    this.#dealer.close();
    await Promise.all(this.#slots.map((slot) => slot.stop()));
    await this.#admin?.close();
  }
}
