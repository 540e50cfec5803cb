/** What a benchmark asks of any server that it measures: users on it, and what its processes use. */

import type { Term } from '../../../src/etf/terms.js';
import { cpuSeconds, family, residentBytes } from '../../load/linux-process.js';
import { Load, type LoadOptions } from '../../load/load.js';
import type { Transport } from '../../load/user.js';
import type { Usage } from './usage.js';

export abstract class Server {
  readonly url: string;
  readonly transport: Transport;
  readonly pid: number;
  readonly #frontPid: number | undefined;

  /** @param frontPid of what stands in front, which may start others */
  constructor(url: string, transport: Transport, pid: number, frontPid: number | undefined) {
    this.url = url;
    this.transport = transport;
    this.pid = pid;
    this.#frontPid = frontPid;
  }

  /** Users of it, of whom none is logged in yet. */
  load(users: number, options: Partial<LoadOptions> = {}): Promise<Load> {
    return Load.start({ url: this.url, transport: this.transport, host: 'localhost', users, ...options });
  }

  /** Bytes. */
  memory(): Usage {
    return this.usage(residentBytes);
  }

  /** Seconds since the start. */
  cpu(): Usage {
    return this.usage(cpuSeconds);
  }

  /** Of the gateway, which may be several, or of haproxy. */
  get frontPids(): readonly number[] {
    return this.#frontPid === undefined ? [] : family(this.#frontPid);
  }

  usage(of: (pid: number) => number): Usage {
    return { server: of(this.pid), front: this.frontPids.reduce((sum, pid) => sum + of(pid), 0) };
  }

  /** What `erlang:statistics/1` answers, as a list; empty where that is no Erlang. */
  abstract statistics(item: string): Promise<readonly Term[]>;

  abstract stop(): Promise<void>;
}
