/**
 * Where a page stands at one origin of one id:
 *
 *   live    it has what the id has, and gets what comes: nothing is kept for that
 *   away    it has its number; the origin cannot be asked, or has not said where the id stands
 *   asked   what it has missed is asked for, and what comes meanwhile waits
 *   ahead   it has more than has come here: up to its number everything is a double
 *
 *   phase    fewer    same    more     lost
 *   live     –        –       –        ·
 *   away     asked    live    asked    ·
 *   asked    asked    live    ahead    away
 *   ahead    asked    live    ·        ·
 *
 * (·: nothing changes; –: it does not happen. The test reads this table.) Fewer, same, more: its number, compared with the id's, when the origin says where the id stands, when what was
 * asked for has come, and with each message. With more it is asked, too: the origin says whether it gave out such a number. Lost: the origin cannot be asked any more.
 */

import type { Behind, Following, Phase } from './audience.js';

export type Comparison = 'fewer' | 'same' | 'more';

export function compare(number: number, last: number): Comparison {
  if (number === last) return 'same';
  return number < last ? 'fewer' : 'more';
}

/** What it is then. */
export function next(phase: Phase, event: Comparison | 'lost'): Phase | 'live' {
  if (event === 'lost') return phase === 'asked' ? 'away' : phase;
  if (event === 'same') return 'live';
  return event === 'fewer' || phase === 'away' ? 'asked' : 'ahead';
}

export function behindOf(following: Following, tag: string): Behind | undefined {
  const { behind } = following;
  if (behind === undefined) return undefined;
  for (const entry of behind) if (entry.tag === tag) return entry;
  return undefined;
}

export function addBehind(following: Following, tag: string, number: number): Behind {
  const entry: Behind = { tag, phase: 'away', number, meanwhile: undefined };
  if (following.behind === undefined) {
    following.behind = [entry];
    following.audience.behind += 1;
  } else following.behind.push(entry);
  return entry;
}

/** It is live there. */
export function removeBehind(following: Following, entry: Behind): void {
  const { behind } = following;
  if (behind === undefined) return;
  const rest = behind.filter((each) => each !== entry);
  if (rest.length === behind.length) return;
  following.behind = rest.length === 0 ? undefined : rest;
  if (rest.length === 0) following.audience.behind -= 1;
}
