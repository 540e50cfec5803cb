/** What went wrong in a run, one line each: a figure is only worth something where there is none. */

import type { Counters } from './counters.js';

export function describeTrouble({ refused, ended, broken }: Counters): string[] {
  return [
    ...Object.entries(ended).map(([reason, count]) => `${count} sessions ended: ${reason}`),
    ...Object.entries(broken).map(([reason, count]) => `${count} requests repeated: ${reason}`),
    ...(refused === 0 ? [] : [`${refused} logins put off`]),
  ];
}
