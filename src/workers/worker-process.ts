/** One worker process, seen from its primary: from the fork to its end. */

import { type ChildProcess, fork } from 'node:child_process';
import type { Socket } from 'node:net';
import { fileURLToPath } from 'node:url';
import { MegaphoneError } from '../errors.js';
import { standardFile, standardOutput } from '../observe/log-output.js';
import { type Asked, NOT_ASKED, type Stats } from '../observe/report.js';
import type { Orders } from '../service/drain.js';
import type { Phase } from '../service/lifecycle.js';
import type { Dealer, Worker } from './dealer.js';
import { Errands } from './errands.js';
import {
  type Begin,
  type Errand,
  fromReport,
  type Outcome,
  REPORT_MS,
  type ToPrimary,
  type ToWorker,
} from './messages.js';
import { passOn } from './pass-on.js';

/** So many reports missing, and it is not up: its event loop stands still. */
const SILENT = 5;
/** So many, and it is killed, before the connections that it has not taken are given up. */
const STUCK = 15;

/** Longer than a worker waits for the nodes. */
const ASKED_MS = 4_000;

const PROGRAM = fileURLToPath(new URL('./worker.js', import.meta.url));

export class WorkerProcess implements Worker {
  /** Resolves when it has begun, with an ejabberd node or without. @throws MegaphoneError why it ended before */
  readonly up: Promise<void>;
  /** Resolves, and never rejects, with the reason. */
  readonly ended: Promise<MegaphoneError>;
  /** Its latest report. */
  stats: Stats | undefined;
  readonly #child: ChildProcess;
  readonly #dealer: Dealer;
  readonly #orders: Orders;
  readonly #since = performance.now();
  /** Reports due since the latest. Counted, not timed: reports to a primary that stood still itself are there yet. */
  #missing = 0;
  #isReady = false;
  #asking: ((asked: Asked) => void)[] = [];
  readonly #errands = new Errands();
  #entering: { readonly phase: Phase; readonly resolve: () => void } | undefined;
  /** Why it is about to end, where it could tell. */
  #failure: MegaphoneError | undefined;

  /** @param dealer gives it connections while it takes them; @param orders hears what operators ask it for */
  constructor(begin: Begin, dealer: Dealer, orders: Orders) {
    const { config } = begin;
    this.#dealer = dealer;
    this.#orders = orders;
    // The name is for `ps`.
    const output = standardFile.mustNotBeShared ? 'pipe' : 'inherit';
    const child = fork(PROGRAM, [config.node], { stdio: ['ignore', output, output, 'ipc'] });
    if (child.stdout) passOn(child.stdout, standardOutput);
    if (child.stderr) passOn(child.stderr, process.stderr);
    this.#child = child;
    this.ended = new Promise((resolve) => {
      // Not 'exit', which may come before the last messages are read: a connection that was taken must not be redealt.
      child.once('close', (code, signal) => resolve(this.#failure ?? died(config.node, code, signal)));
      // The fork itself failed: there is no process, and nothing else will be told.
      child.on('error', (cause) => resolve(notForked(config.node, cause)));
    });
    const watch = setInterval(() => this.#watch(config.node), REPORT_MS);
    void this.ended.then(() => {
      clearInterval(watch);
      dealer.leave(this);
      this.#entering?.resolve();
      this.#errands.end(config.node);
    });
    this.up = new Promise((resolve, reject) => {
      child.on('message', (message: ToPrimary) => {
        this.#read(message, begin);
        if (message.type === 'up') resolve();
      });
      void this.ended.then(reject);
    });
    // Only the first start awaits it; how later ones end is told by `ended`.
    this.up.catch(() => {});
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  get isReporting(): boolean {
    return this.stats !== undefined && this.#missing < SILENT;
  }

  /** Milliseconds since the fork. */
  get age(): number {
    return performance.now() - this.#since;
  }

  hand(socket: Socket): void {
    const message: ToWorker = { type: 'connection' };
    // Without a working channel the worker is of no use; its end gives the connection to another one.
    this.#child.send(message, socket, { keepOpen: true }, (error) => error && this.kill());
  }

  reload(): void {
    this.#send({ type: 'reload' });
  }

  /** As far as this worker can tell. */
  asked(): Promise<Asked> {
    this.#send({ type: 'ask' });
    return new Promise((resolve) => {
      this.#asking.push(resolve);
      setTimeout(resolve, ASKED_MS, NOT_ASKED).unref();
    });
  }

  run(errand: Errand): Promise<Outcome> {
    const { number, outcome } = this.#errands.begin();
    this.#send({ type: 'errand', number, errand });
    return outcome;
  }

  /** Resolves when it has done what this phase asks for, is to do something else, or ended. */
  enter(phase: Phase): Promise<void> {
    this.#entering?.resolve();
    this.#send({ type: 'enter', phase });
    return new Promise((resolve) => {
      this.#entering = { phase, resolve };
    });
  }

  /** Its clients have been sent elsewhere, or are now, and then it ends. */
  stop(): void {
    if (this.#isReady) this.#send({ type: 'enter', phase: 'finishing' });
    else this.kill();
  }

  kill(): void {
    this.#child.kill('SIGKILL');
  }

  /** Before its first report a worker starts, which takes as long as it takes. */
  #watch(node: string): void {
    if (this.stats === undefined) return;
    this.#missing += 1;
    if (this.#missing !== STUCK) return;
    this.#failure = stuck(node);
    this.kill();
  }

  #read(message: ToPrimary, begin: Begin): void {
    switch (message.type) {
      case 'ready':
        this.#isReady = true;
        this.#send(begin);
        break;
      case 'report':
        this.stats = message.stats;
        this.#missing = 0;
        break;
      case 'asked':
        for (const resolve of this.#asking.splice(0)) resolve(message.asked);
        break;
      case 'errandDone':
        this.#errands.done(message.number, message.outcome);
        break;
      case 'failed':
        this.#failure = fromReport(message.error);
        break;
      case 'accepting':
        this.#dealer.join(this);
        break;
      case 'taken':
        this.#dealer.taken(this);
        break;
      case 'entered':
        if (message.phase === this.#entering?.phase) this.#entering.resolve();
        break;
      case 'order':
        void this.#orders.order(message.order).then((state) => this.#send({ type: 'ordered', state }));
        break;
      case 'stopping':
        this.#dealer.leave(this);
        break;
    }
  }

  /** Lost where the process has just ended, which `ended` tells. */
  #send(message: ToWorker): void {
    this.#child.send(message, () => {});
  }
}

function died(node: string, code: number | null, signal: string | null): MegaphoneError {
  const how = signal === null ? `with exit code ${code}` : `by ${signal}`;
  return new MegaphoneError('GATEWAY_WORKER_DIED', `the worker ${node} ended ${how}`, {
    node,
    hint: 'if nobody ended it, its last lines above or the system log (out of memory?) tell why',
  });
}

function stuck(node: string): MegaphoneError {
  const message = `the worker ${node} did nothing for ${(STUCK * REPORT_MS) / 1000} s and was killed`;
  const hint = 'was it stopped (`ps`: state T), or is the machine out of memory or of processor time?';
  return new MegaphoneError('GATEWAY_WORKER_STUCK', message, { node, hint });
}

function notForked(node: string, cause: unknown): MegaphoneError {
  return new MegaphoneError('GATEWAY_WORKER_NOT_STARTED', `the worker ${node} cannot be started`, {
    node,
    cause,
    hint: 'the system refuses another process: see `ulimit -u` and the memory that is left',
  });
}
