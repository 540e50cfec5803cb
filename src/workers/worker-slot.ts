/** One place among the workers: begins, replaces and ends its process, as slot-life.ts says. */

import type { Logger } from 'pino';
import { MegaphoneError } from '../errors.js';
import { type Asked, NOT_ASKED, type Stats } from '../observe/report.js';
import type { WorkerState } from '../observe/totals.js';
import type { Orders } from '../service/drain.js';
import type { Phase } from '../service/lifecycle.js';
import type { Dealer } from './dealer.js';
import type { Begin, Errand, Outcome } from './messages.js';
import { replacement, SLOT_LIFE, type SlotEvent, type SlotPhase } from './slot-life.js';
import { WorkerProcess } from './worker-process.js';

/** What takes longer to end is killed. */
const STOP_MS = 10_000;

export class WorkerSlot {
  readonly name: string;
  readonly #log: Logger;
  readonly #dealer: Dealer;
  readonly #retire: (stats: Stats) => void;
  readonly #begins: Omit<Begin, 'phase'>;
  readonly #orders: Orders;
  #process: WorkerProcess | undefined;
  #restarts = 0;
  #phase: SlotPhase = 'starting';
  /** That of the gateway. */
  #entered: Phase = 'serving';
  /** Ends in a row, each soon after its start. */
  #failures = 0;
  #timer: NodeJS.Timeout | undefined;

  /** @param orders hears what operators ask it for; @param retire is given the last report of each process that ended */
  constructor(
    begins: Omit<Begin, 'phase'>,
    dealer: Dealer,
    orders: Orders,
    log: Logger,
    retire: (stats: Stats) => void,
  ) {
    this.name = begins.config.node;
    this.#begins = begins;
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
   * Resolves once it is up.
   * @throws MegaphoneError what kept the worker from it, or GATEWAY_WORKER_…
   */
  async start(): Promise<void> {
    await this.#begin().up;
    this.#on('up');
  }

  reload(): void {
    this.#process?.reload();
  }

  async asked(): Promise<Asked> {
    return (await this.#process?.asked()) ?? NOT_ASKED;
  }

  /** `undefined`: there is no process. */
  run(errand: Errand): Promise<Outcome> | undefined {
    return this.#process?.run(errand);
  }

  /** Resolves when it has done what this phase asks for. */
  async enter(phase: Phase): Promise<void> {
    this.#entered = phase;
    await this.#process?.enter(phase);
  }

  async stop(): Promise<void> {
    this.#on('stop');
    clearTimeout(this.#timer);
    const process = this.#process;
    if (process === undefined) return;
    process.stop();
    const kill = setTimeout(() => process.kill(), STOP_MS);
    await process.ended;
    clearTimeout(kill);
  }

  #begin(): WorkerProcess {
    const begin = { ...this.#begins, phase: this.#entered };
    const process = new WorkerProcess(begin, this.#dealer, this.#orders);
    this.#process = process;
    void process.ended.then((error) => this.#onEnded(process, error));
    return process;
  }

  #onEnded({ stats, age }: WorkerProcess, error: MegaphoneError): void {
    this.#process = undefined;
    if (stats !== undefined) this.#retire(stats);
    if (!this.#on('ended')) return;
    const { failures, isFailing, pause } = replacement(this.#failures, age);
    this.#failures = failures;
    this.#log.error({ err: isFailing ? failing(this.name, error) : error }, 'replacing a worker');
    this.#timer = setTimeout(() => {
      if (!this.#on('pauseOver')) return;
      this.#restarts += 1;
      this.#begin();
    }, pause);
  }

  /** The one place where its phase changes. @returns whether it did */
  #on(event: SlotEvent): boolean {
    const to = SLOT_LIFE[event][this.#phase];
    if (to !== undefined) this.#phase = to;
    return to !== undefined;
  }
}

function failing(node: string, error: MegaphoneError): MegaphoneError {
  const message = `the worker ${node} ends soon after each start: ${error.message} [${error.code}]`;
  const hint = error.hint ?? '`megaphone check` walks through what it needs';
  return new MegaphoneError('GATEWAY_WORKER_FAILING', message, { node, hint, cause: error });
}
