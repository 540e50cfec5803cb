/**
 * The primary process of several workers: starts and replaces them, accepts connections and deals them out, and shows
 * their health and statistics as one gateway's. It holds no connections and is no Erlang node, so its limits are not the
 * gateway's.
 */

import { randomBytes } from 'node:crypto';
import type { Logger } from 'pino';
import type { Config } from '../config/schema.js';
import { workerConfigs } from '../config/workers.js';
import { TICKET_KEYS } from '../http/certificate.js';
import { OperatorPorts } from '../http/operator-ports.js';
import { standardOutput } from '../observe/log-output.js';
import { ProcessReport, withWorkers } from '../observe/process-metrics.js';
import type { Asked, GatewayState, Health, Reports, Stats } from '../observe/report.js';
import { addPrimary, NOTHING, retire, total } from '../observe/totals.js';
import { ProcessUsage } from '../observe/usage.js';
import { ownWarnings } from '../observe/warnings.js';
import type { About } from '../service/about.js';
import type { Crew, Orders } from '../service/drain.js';
import { type Phase, stateOf } from '../service/lifecycle.js';
import { Dealer } from './dealer.js';
import { deskOf, noWorker } from './errands.js';
import { type Errand, type Outcome, toReport } from './messages.js';
import { WorkerSlot } from './worker-slot.js';

export class Primary implements Reports, Crew {
  readonly reports: Reports = this;
  readonly #node: string;
  readonly #dealer: Dealer;
  readonly #slots: readonly WorkerSlot[];
  #ports: OperatorPorts | undefined;
  #phase: Phase = 'serving';
  #retired = NOTHING;
  readonly #process = new ProcessReport();
  readonly #usage = new ProcessUsage();

  /** @param orders hears what operators ask a worker for @throws MegaphoneError as `Service.start`, GATEWAY_WORKER_… */
  static async start(config: Config, log: Logger, orders: Orders, how: About): Promise<Primary> {
    const primary = new Primary(config, log, orders, how);
    try {
      // First, so that whoever sees the HTTP port open can ask how far the workers are.
      const desk = deskOf(orders, (errand) => primary.#run(errand));
      primary.#ports = await OperatorPorts.listen(config, primary, desk, log);
      await primary.#dealer.listen(config.http_ip, config.http_port);
      await Promise.all(primary.#slots.map((slot) => slot.start()));
      return primary;
    } catch (error) {
      await primary.stop();
      throw error;
    }
  }

  private constructor(config: Config, log: Logger, orders: Orders, how: About) {
    this.#node = config.node;
    const dealer = new Dealer(config.max_connections, log);
    this.#dealer = dealer;
    const ticketKeys = randomBytes(TICKET_KEYS).toString('base64');
    const { workers: processes } = config;
    this.#slots = workerConfigs(config).map(
      (worker) =>
        new WorkerSlot(
          { type: 'begin', config: worker, processes, about: how, ticketKeys },
          dealer,
          orders,
          log,
          (stats) => {
            this.#retired = retire(this.#retired, stats);
          },
        ),
    );
  }

  /** Of the BOSH endpoint. */
  get port(): number {
    return this.#dealer.port;
  }

  health(): Health {
    const { status, state, nodes, workers = {} } = this.stats();
    return { status, state, nodes, workers };
  }

  state(): GatewayState {
    return stateOf(this.#phase);
  }

  stats(): Stats {
    const uptime_seconds = Math.floor(process.uptime());
    const whole = { node: this.#node, uptime_seconds, state: this.state() };
    return total(
      whole,
      this.#slots.map(({ state }) => state),
      addPrimary(this.#retired, {
        refused: this.#dealer.refused,
        log_lines_lost: standardOutput.lost,
        usage: this.#usage.latest,
        warnings: ownWarnings.latest,
      }),
    );
  }

  /** All workers are asked, for one may reach a node that another does not. */
  async asked(): Promise<Asked> {
    const asking = this.#slots.map(async (slot) => ({ name: slot.name, ...(await slot.asked()) }));
    const [own, ...answers] = await Promise.all([this.#process.read(), ...asking]);
    return {
      modules: Object.assign({}, ...answers.map(({ modules }) => modules)),
      processes: withWorkers([
        ['primary', own],
        ...answers.map(({ name, processes }) => [name, processes] as const),
      ]),
    };
  }

  /** By one that reaches a node, if any does. */
  async #run(errand: Errand): Promise<Outcome> {
    const isServing = ({ state }: WorkerSlot): boolean => state.up && state.stats?.status === 'ok';
    const slot = this.#slots.find(isServing) ?? this.#slots.find(({ state }) => state.up);
    return (await slot?.run(errand)) ?? { error: toReport(noWorker()) };
  }

  /** Each worker reads the certificate again, and this process the token. */
  reload(): void {
    this.#ports?.reload();
    for (const slot of this.#slots) slot.reload();
  }

  async enter(phase: Phase): Promise<void> {
    this.#phase = phase;
    if (phase === 'finishing') await this.stop();
    else await Promise.all(this.#slots.map((slot) => slot.enter(phase)));
  }

  /** Each worker sends who is left elsewhere, and ends. */
  async stop(): Promise<void> {
    this.#dealer.close();
    await Promise.all(this.#slots.map((slot) => slot.stop()));
    await this.#ports?.close();
    this.#usage.close();
  }
}
