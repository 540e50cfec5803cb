/**
 * Who writes to whom, and when. Nothing here waits for an answer: what is due is due, whether or not the server keeps
 * up. The same seed makes the same schedule, so that servers beside each other get the very same messages.
 *
 *   next     each to the next, round and round, evenly spaced
 *   random   a random user to a random other, at random moments (a Poisson process)
 */

export const PATTERNS = ['next', 'random'] as const;
export type Pattern = (typeof PATTERNS)[number];

export interface Plan {
  readonly pattern: Pattern;
  /** Messages a second. */
  readonly rate: number;
  readonly seed: number;
  /** Numbers of the users who write: `first` and those behind it, of `everybody`, who count from 0. */
  readonly first: number;
  readonly senders: number;
  readonly everybody: number;
}

export interface Due {
  /** Microseconds from the beginning. */
  readonly at: number;
  readonly sender: number;
  readonly recipient: number;
}

/** Without end. With `next`, whoever is last of the senders writes to the first of them. */
export function* schedule({ pattern, rate, seed, first, senders, everybody }: Plan): Generator<Due, never> {
  const gap = 1e6 / rate;
  if (pattern === 'next') {
    for (let turn = 0; ; turn += 1) {
      yield { at: turn * gap, sender: first + (turn % senders), recipient: first + ((turn + 1) % senders) };
    }
  }
  const random = randomNumbers(seed);
  for (let at = 0; ; ) {
    at -= Math.log(1 - random()) * gap;
    const sender = first + Math.floor(random() * senders);
    const other = Math.floor(random() * (everybody - 1));
    yield { at, sender, recipient: other < sender ? other : other + 1 };
  }
}

/** From 0 to below 1 (mulberry32). */
export function randomNumbers(seed: number): () => number {
  let state = seed | 0;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
