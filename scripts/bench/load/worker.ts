/** A process of the load generator: a crowd that does what its parent says. */

import { serve } from '../child.js';
import type { Counters } from './counters.js';
import { Crowd, type CrowdOptions, type Pace } from './crowd.js';

export interface Commands {
  begin(options: CrowdOptions): void;
  login(pace: Pace, count: number): Promise<void>;
  logout(pace: Pace): Promise<void>;
  talk(rate: number): void;
  pause(): void;
  counters(): Counters;
  /** Counts of the histogram since the last time. */
  latencies(): readonly number[];
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
  login: (pace, count) => crowd().login(pace, count),
  logout: (pace) => crowd().logout(pace),
  talk: (rate) => crowd().talk(rate),
  pause: () => crowd().pause(),
  counters: () => crowd().counters,
  latencies: () => crowd().takeLatencies(),
};

serve(commands);
