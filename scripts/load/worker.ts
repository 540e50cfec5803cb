/** A process of the load generator: a crowd that does what its parent says. */

import { serve } from './child.js';
import type { Counters } from './counters.js';
import { Crowd, type CrowdOptions, type Pace, type Talk } from './crowd.js';

export interface Commands {
  begin(options: CrowdOptions): void;
  login(pace: Pace, count: number): Promise<void>;
  logout(pace: Pace): Promise<void>;
  jids(): readonly string[];
  talk(talk: Talk): void;
  pause(): void;
  counters(): Counters;
  times(): ReturnType<Crowd['takeTimes']>;
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
  jids: () => crowd().jids,
  talk: (talk) => crowd().talk(talk),
  pause: () => crowd().pause(),
  counters: () => crowd().counters,
  times: () => crowd().takeTimes(),
};

serve(commands);
