/** What Megaphone is to reach, beside ejabberd's own BOSH. */

export interface Goal {
  readonly text: string;
  /** Of the ratio, where that is what counts. */
  readonly limit?: number;
  /** @param ratio Megaphone's figure by ejabberd's own. @param value Megaphone's */
  isMet(ratio: number, value?: number): boolean;
}

const atMost = (limit: number) => ({
  limit,
  text: `at most ${limit.toFixed(2)}`,
  isMet: (ratio: number) => ratio <= limit,
});
const atLeast = (limit: number) => ({
  limit,
  text: `at least ${limit.toFixed(2)}`,
  isMet: (ratio: number) => ratio >= limit,
});

export const GOALS = {
  /** Of ejabberd and the gateway, for a message. */
  cpu: atMost(0.75),
  p99: atMost(1),
  logins: atLeast(2),
  highestRate: atLeast(2),
  /** Bytes of an idle user, in ejabberd and the gateway. */
  memory: { text: 'at most 13 kB', isMet: (_, bytes = Number.NaN) => bytes <= 13_000 },
  lost: { text: '0', isMet: (_, messages) => messages === 0 },
} as const satisfies Record<string, Goal>;

export const verdict = (goal: Goal, ratio: number, value?: number): string =>
  `${goal.text}: ${goal.isMet(ratio, value) ? 'yes' : '**no**'}`;
