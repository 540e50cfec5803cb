/** What a process takes of the machine, looked at once a second: for whoever asks, the same. */

import { monitorEventLoopDelay } from 'node:perf_hooks';

export type Usage = {
  readonly pid: number;
  readonly cpu_seconds: number;
  readonly memory_bytes: number;
  /** Seconds by which the event loop was late, 99 of 100 times, in the last second. */
  readonly event_loop_delay: number;
};

/** Milliseconds between two looks at how late the event loop is; Node.js counts them in. */
const PRECISION = 20;

export class ProcessUsage {
  readonly #delay = monitorEventLoopDelay({ resolution: PRECISION });
  readonly #clock: NodeJS.Timeout;
  #latest: Usage;

  constructor() {
    this.#delay.enable();
    this.#latest = this.#look();
    this.#clock = setInterval(() => {
      this.#latest = this.#look();
    }, 1000).unref();
  }

  get latest(): Usage {
    return this.#latest;
  }

  close(): void {
    clearInterval(this.#clock);
    this.#delay.disable();
  }

  #look(): Usage {
    const { user, system } = process.cpuUsage();
    // Nothing was measured yet: NaN.
    const late = this.#delay.count === 0 ? 0 : this.#delay.percentile(99) / 1e9 - PRECISION / 1000;
    this.#delay.reset();
    return {
      pid: process.pid,
      cpu_seconds: (user + system) / 1e6,
      memory_bytes: process.memoryUsage.rss(),
      event_loop_delay: Math.max(0, late),
    };
  }
}
