/**
 * What systemd is told (sd_notify(3)): that this gateway is up, reads its certificates again, stops, and how it is. The event loop
 * answers the watchdog, so a gateway whose loop stands still is started anew.
 *
 * Node.js cannot write to the manager's socket, a Unix datagram one. A shell has systemd-notify do it, for each line that it is
 * given; it begins while this process is small, for a fork of one that is full would hold that up.
 */

import { type ChildProcess, spawn } from 'node:child_process';
import type { Socket } from 'node:net';
import type { Stats } from '../observe/report.js';

/** Fields are separated by tabs, for a status has blanks. It ends with this process. */
const HELPER = `set -f; IFS='\t'; while read -r fields; do systemd-notify $fields; done`;
/** How often it looks whether there is something to tell; and tells how it is, unless the watchdog wants it sooner. */
const LOOK_MS = 1000;
const STATUS_MS = 10_000;

type Figures = Pick<Stats, 'state' | 'nodes' | 'connections'>;

export class ServiceManager {
  readonly #env: NodeJS.ProcessEnv;
  readonly #stats: () => Figures;
  #helper: ChildProcess | undefined;
  /** The latest status, and when. */
  #told = '';
  #at = 0;

  /** @returns nothing where nobody is to be told */
  static find(env: NodeJS.ProcessEnv, stats: () => Figures): ServiceManager | undefined {
    return env.NOTIFY_SOCKET === undefined ? undefined : new ServiceManager(env, stats);
  }

  /** It is up, and answers the watchdog from here on. */
  private constructor(env: NodeJS.ProcessEnv, stats: () => Figures) {
    this.#env = env;
    this.#stats = stats;
    this.ready();
    const watchdog = Number(env.WATCHDOG_USEC ?? 0) / 1000;
    const pause = watchdog > 0 ? Math.min(watchdog / 3, STATUS_MS) : STATUS_MS;
    setInterval(() => this.#look(pause), Math.min(LOOK_MS, pause)).unref();
  }

  /** At first, and after each reload. */
  ready(): void {
    this.#tell('READY=1', this.#status());
  }

  reloading(): void {
    this.#tell('RELOADING=1', `MONOTONIC_USEC=${process.hrtime.bigint() / 1000n}`);
  }

  /** @param seconds that it may take, where that is more than `TimeoutStopSec` */
  stopping(seconds: number): void {
    this.#tell('STOPPING=1', `EXTEND_TIMEOUT_USEC=${Math.ceil(seconds * 1e6)}`, 'STATUS=stopping');
  }

  /** Whether nodes came or went is told at once. */
  #look(pause: number): void {
    if (performance.now() - this.#at < pause && serviceOf(this.#stats()) === this.#told) return;
    this.#tell('WATCHDOG=1', this.#status());
  }

  #status(): string {
    const figures = this.#stats();
    this.#told = serviceOf(figures);
    this.#at = performance.now();
    return `STATUS=${this.#told}, ${figures.connections} connections`;
  }

  #tell(...fields: string[]): void {
    this.#helper ??= this.#start();
    this.#helper?.stdin?.write(`${fields.join('\t')}\n`);
  }

  /** `undefined`: the system refuses one just now. Nobody answers the watchdog then, so there is another for the next line. */
  #start(): ChildProcess | undefined {
    const helper = this.#spawn();
    if (helper === undefined) return undefined;
    helper.on('error', () => {});
    // Where files are short it has none, whatever its type says.
    const stdin = helper.stdin as Socket | undefined;
    if (stdin === undefined) return undefined;
    helper.on('close', () => {
      this.#helper = undefined;
    });
    stdin.on('error', () => {});
    helper.unref();
    stdin.unref();
    return helper;
  }

  #spawn(): ChildProcess | undefined {
    try {
      return spawn('/bin/sh', ['-c', HELPER], { env: this.#env, stdio: ['pipe', 'inherit', 'inherit'] });
    } catch {
      return undefined;
    }
  }
}

/** As `systemctl status` shows it. */
function serviceOf({ state, nodes }: Figures): string {
  const all = Object.values(nodes);
  const ready = all.filter((node) => node.in_service).length;
  const whole =
    state === 'in_service' && ready === 0 && all.length > 0 ? 'out of service' : state.replace('_', ' ');
  return `${whole}, ${ready} of ${all.length} ejabberd nodes`;
}
