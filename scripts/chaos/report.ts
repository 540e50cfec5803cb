/** What a run found, in words: what broke first, how to play it again, errors by kind, and the line that scripts read. */

import { type Checker, INVARIANTS, type Invariant, type Step, type Violation } from './checker.js';

/** Of each broken invariant so many are told one by one. */
const TOLD = 10;

export interface Verdict {
  readonly errors: number;
  readonly logins: number;
  readonly lost: number;
  readonly doubled: number;
  readonly reordered: number;
  readonly foreign: number;
  readonly twoSessions: number;
}

export function verdictOf({ counts, violations }: Checker): Verdict {
  const broken = (wanted: Invariant): number =>
    violations.filter(({ invariant }) => invariant === wanted).length;
  return {
    errors: counts.errors,
    logins: counts.logins,
    lost: broken('lost'),
    doubled: broken('doubled'),
    reordered: broken('reordered'),
    foreign: broken('foreign'),
    twoSessions: broken('two sessions'),
  };
}

/** What must be zero whatever the nemesis does. */
export const isBroken = ({ lost, doubled, reordered, foreign, twoSessions }: Verdict): boolean =>
  lost + doubled + reordered + foreign + twoSessions > 0;

/** The last line of a run. */
export const lastLine = ({ errors, logins, lost, doubled, reordered }: Verdict): string =>
  `errors ${errors} logins ${logins} lost ${lost} doubled ${doubled} reordered ${reordered}`;

/** @param again the command line that plays it again */
export function describe(checker: Checker, again: string): string[] {
  const { counts, steps } = checker;
  const { foreign, twoSessions, ...verdict } = verdictOf(checker);
  return [
    ...INVARIANTS.flatMap((invariant) => describeBroken(invariant, checker)),
    ...describeErrors(steps),
    `${counts.sent} messages sent, ${counts.accepted} accepted, ${counts.received} received; ` +
      `${counts.repeated} came once more where the server could not know, ${counts.stored} were overtaken in offline storage, ${counts.gone} were gone with what a server gave up`,
    `${counts.resumed} streams resumed, ${foreign} messages for others, ${twoSessions} users with two sessions`,
    ...(isBroken({ ...verdict, foreign, twoSessions }) ? [`To play it again: ${again}`] : []),
  ];
}

function describeBroken(invariant: Invariant, { violations, steps }: Checker): string[] {
  const broken = violations.filter((violation) => violation.invariant === invariant);
  const more = broken.length > TOLD ? [`${invariant}: ${broken.length - TOLD} more`] : [];
  return [...broken.slice(0, TOLD).map((violation) => describeViolation(violation, steps)), ...more];
}

function describeViolation({ invariant, at, what, step }: Violation, steps: readonly Step[]): string {
  const before = steps[step];
  const since =
    before === undefined ? '' : `, ${seconds(at - before.at)} s after step ${step} (${before.what})`;
  return `${invariant}: ${what}, at ${seconds(at)} s${since}`;
}

export function describeErrors(steps: readonly Step[]): string[] {
  const total = new Map<string, number>();
  for (const { errors } of steps) {
    for (const [what, count] of errors) total.set(what, (total.get(what) ?? 0) + count);
  }
  return [...total].sort(([, a], [, b]) => b - a).map(([what, count]) => `error: ${count} × ${what}`);
}

const seconds = (microseconds: number): string => (microseconds / 1e6).toFixed(3);
