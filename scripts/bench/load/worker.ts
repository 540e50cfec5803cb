/** A process of the load generator: a crowd that does what its parent says. */

import type { Counters } from './counters.js';
import { Crowd, type CrowdOptions, type Pace } from './crowd.js';

export interface Commands {
  begin(options: CrowdOptions): void;
  login(pace: Pace): Promise<void>;
  logout(pace: Pace): Promise<void>;
  talk(rate: number): void;
  pause(): void;
  counters(): Counters;
  /** Counts of the histogram since the last time. */
  latencies(): readonly number[];
}

export interface Request {
  readonly id: number;
  readonly command: keyof Commands;
  readonly args: readonly unknown[];
}

export interface Reply {
  readonly id: number;
  readonly result: unknown;
}

let begun: Crowd | undefined;

function crowd(): Crowd {
  if (begun === undefined) throw new Error('begin comes first');
  return begun;
}

const commands: Commands = {
  begin: (options) => {
    begun = new Crowd(options);
  },
  login: (pace) => crowd().login(pace),
  logout: (pace) => crowd().logout(pace),
  talk: (rate) => crowd().talk(rate),
  pause: () => crowd().pause(),
  counters: () => crowd().counters,
  latencies: () => crowd().takeLatencies(),
};

process.on('message', async ({ id, command, args }: Request) => {
  const run = commands[command] as (...args: readonly unknown[]) => unknown;
  const reply: Reply = { id, result: await run(...args) };
  process.send?.(reply);
});
// Nobody is left to measure for. Ctrl-C reaches the parent as well, which may want to tidy up first.
process.on('disconnect', () => process.exit());
process.on('SIGINT', () => {});
