/**
 * One place among the workers. Its process is replaced when it ends: at once if it had lived for a while, else after
 * a pause that doubles, so that a worker that cannot live does not keep the machine busy with starting it.
 */

import type { Logger } from 'pino';
import { MegaphoneError } from '../errors.js';
import { backoff } from '../node/backoff.js';
import type { ModuleStats } from '../observe/module-metrics.js';
import type { Stats } from '../observe/report.js';
import type { WorkerState } from '../observe/totals.js';
import type { Dealer } from './dealer.js';
import type { Begin } from './messages.js';
import { WorkerProcess } from './worker-process.js';

/** Who lives shorter than this has failed to start. */
const STABLE_MS = 10_000;
/** So often in a row is no accident. */
const FAILING = 3;
/** What takes longer to stop is killed. */
const STOP_MS = 10_000;

export class WorkerSlot {
  readonly name: string;
  readonly #log: Logger;
  readonly #dealer: Dealer;
  readonly #retire: (stats: Stats) => void;
  readonly #orders: Begin;
  #process: WorkerProcess | undefined;
  #restarts = 0;
  /** Ends in a row, each soon after its start. */
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;
  /** Only who has served is replaced: a first start that fails is the operator's to mend. */
  #hasServed = false;
  #stopping = false;

  /** @param retire is given the last report of each process that ended */
  constructor(orders: Begin, dealer: Dealer, log: Logger, retire: (stats: Stats) => void) {
    this.name = orders.config.node;
    this.#orders = orders;
    this.#dealer = dealer;
    this.#log = log;
    this.#retire = retire;
  }

  get state(): WorkerState {
    const process = this.#process;
    return {
      name: this.name,
      up: process?.isReporting ?? false,
      pid: process?.pid ?? 0,
      restarts: this.#restarts,
      stats: process?.stats,
    };
  }

  /**
   * Resolves once it serves.
   * @throws MegaphoneError what kept the worker from it, or GATEWAY_WORKER_…
   */
  async start(): Promise<void> {
    await this.#begin().up;
    this.#hasServed = true;
  }

  reload(): void {
    this.#process?.reload();
  }

  async modules(): Promise<ModuleStats> {
    return (await this.#process?.modules()) ?? {};
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    clearTimeout(this.#timer);
    const process = this.#process;
    if (process === undefined) return;
    process.stop();
    const kill = setTimeout(() => process.kill(), STOP_MS);
    await process.ended;
    clearTimeout(kill);
  }

  #begin(): WorkerProcess {
    const process = new WorkerProcess(this.#orders, this.#dealer);
    this.#process = process;
    void process.ended.then((error) => this.#onEnded(process, error));
    return process;
  }

  #onEnded({ stats, age }: WorkerProcess, error: MegaphoneError): void {
    this.#process = undefined;
    if (stats !== undefined) this.#retire(stats);
    if (this.#stopping || !this.#hasServed) return;
    this.#failures = age < STABLE_MS ? this.#failures + 1 : 0;
    const pause = this.#failures === 0 ? 0 : backoff(this.#failures);
    this.#log.error(
      { err: this.#failures < FAILING ? error : failing(this.name, error) },
      'replacing a worker',
    );
    this.#timer = setTimeout(() => {
      this.#restarts += 1;
      this.#begin();
    }, pause);
  }
}

function failing(node: string, error: MegaphoneError): MegaphoneError {
  const message = `the worker ${node} ends soon after each start: ${error.message} [${error.code}]`;
  const hint = error.hint ?? '`megaphone check` walks through what it needs';
  return new MegaphoneError('GATEWAY_WORKER_FAILING', message, { node, hint, cause: error });
}
