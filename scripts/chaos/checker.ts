/**
 * Judges a history (history.ts), event by event, in memory that grows with what is on its way:
 *
 *   lost          an accepted message was not received by the end
 *   doubled       a message was received again, and its recipient's session had not ended in between with the server in doubt
 *   reordered     a message was received behind a later one of the same sender; but one that was stored while its recipient had no
 *                 session, and says when it came, may follow what came directly at the login: it counts as `stored`
 *   foreign       a message was received by another user than the one it was for, or nobody sent it
 *   two sessions  the servers had two sessions for a user when all was quiet
 *
 * What a killed server's memory held is gone, and nobody can ask for more: a message to or from a user whose session ended in
 * such a step, on its way then, counts as `gone`; so does what was accepted while servers did not see each other, where one of
 * them gave up what it had stored.
 */

import type { Event, Loss, MessageId } from './history.js';
import { Pair } from './pair.js';

export const INVARIANTS = ['lost', 'doubled', 'reordered', 'foreign', 'two sessions'] as const;
/** The last is of pages alone (comet/ledger.ts). */
export type Invariant = (typeof INVARIANTS)[number] | 'gap';

export interface Violation {
  readonly invariant: Invariant;
  /** When it was sent, for what was lost; else when it was seen. */
  readonly at: number;
  readonly what: string;
  /** Number of the step before, from 0; -1 where there was none. */
  readonly step: number;
}

/** What the nemesis did, and what came of it until it did something else. */
export interface Step {
  readonly at: number;
  readonly fault: string;
  readonly what: string;
  readonly loses: Loss;
  /** When everybody was served again. */
  recoveredAt: number | undefined;
  logins: number;
  gone: number;
  readonly errors: Map<string, number>;
  readonly violations: Violation[];
}

export interface Counts {
  sent: number;
  accepted: number;
  received: number;
  /** Received once more where the server could not know. */
  repeated: number;
  /** Lost with a killed server's memory. */
  gone: number;
  /** Overtaken in offline storage. */
  stored: number;
  /** Beyond the first of each user. */
  logins: number;
  resumed: number;
  errors: number;
}

/** A message that was accepted longer before a kill than this was not on its way any more. */
const ON_ITS_WAY = 60e6;

const nameOf = ({ from, to, seq }: MessageId): string => `message ${seq} from user ${from} to user ${to}`;

export class Checker {
  readonly counts: Counts = {
    sent: 0,
    accepted: 0,
    received: 0,
    repeated: 0,
    gone: 0,
    stored: 0,
    logins: 0,
    resumed: 0,
    errors: 0,
  };
  /** The first stands for the time before the nemesis did anything. */
  readonly steps: Step[] = [newStep({ at: 0, fault: 'none', what: 'the beginning', loses: 'nothing' })];
  readonly violations: Violation[] = [];
  readonly #pairs = new Map<string, Pair>();
  /** What may come once more. */
  readonly #doubtful = new Set<string>();
  /** So many steps are over. */
  #recovered = 0;
  readonly #loggedIn = new Set<number>();
  /** When the sessions of a user ended. */
  readonly #ends = new Map<number, number[]>();

  add(event: Event): void {
    switch (event.kind) {
      case 'sent':
        this.counts.sent += 1;
        this.#pair(event).sent(event.seq, event.at);
        return;
      case 'accepted':
        this.counts.accepted += 1;
        this.#pair(event).accepted(event.seq, event.at);
        return;
      case 'received':
        this.#received(event);
        return;
      case 'login':
        this.#login(event.user, event.planned ?? false);
        return;
      case 'resumed':
        this.counts.resumed += 1;
        return;
      case 'ended':
        this.#ends.set(event.user, [...(this.#ends.get(event.user) ?? []), event.at]);
        for (const id of event.unproven) this.#doubtful.add(nameOf(id));
        return;
      case 'error':
        this.counts.errors += 1;
        this.#latest.errors.set(event.what, (this.#latest.errors.get(event.what) ?? 0) + 1);
        return;
      case 'sessions':
        if (event.count > 1) {
          this.#violated('two sessions', event.at, `user ${event.user} has ${event.count} sessions`);
        }
        return;
      case 'step':
        this.steps.push(newStep(event));
        return;
      case 'recovered':
        // Of faults at once all are over.
        for (const step of this.steps.slice(this.#recovered)) step.recoveredAt ??= event.at;
        this.#recovered = this.steps.length;
    }
  }

  /** Messages that were sent and not received, and who is to get them. */
  *open(): Generator<MessageId & { readonly sentAt: number; readonly acceptedAt: number | undefined }> {
    for (const [key, { open }] of this.#pairs) {
      const [from = 0, to = 0] = key.split(' ').map(Number);
      for (const [seq, { sentAt, acceptedAt }] of open) yield { from, to, seq, sentAt, acceptedAt };
    }
  }

  /** Went it with a server that was killed? */
  isGone(id: MessageId, acceptedAt: number): boolean {
    return this.#killed(id, acceptedAt) !== undefined;
  }

  /** To be called at the end: what was accepted and is still open is lost. */
  finish(): void {
    for (const { sentAt, acceptedAt, ...id } of this.open()) {
      if (acceptedAt === undefined) continue;
      const killed = this.#killed(id, acceptedAt);
      if (killed === undefined) this.#violated('lost', sentAt, nameOf(id));
      else {
        killed.gone += 1;
        this.counts.gone += 1;
      }
    }
  }

  get #latest(): Step {
    return this.steps.at(-1) as Step;
  }

  #received({ at, by, delayed, ...id }: Extract<Event, { kind: 'received' }>): void {
    const { from, to, seq } = id;
    const name = nameOf({ from, to, seq });
    if (by !== to) {
      this.#violated('foreign', at, `user ${by} received ${name}`);
      return;
    }
    const sentAt = this.#pair(id).open.get(seq)?.sentAt ?? at;
    const receipt = this.#pair(id).received(seq);
    if (receipt === 'unknown') {
      this.#violated('foreign', at, `nobody sent ${name}`);
    } else if (receipt === 'again') {
      if (this.#doubtful.delete(name)) this.counts.repeated += 1;
      else this.#violated('doubled', at, name);
    } else {
      this.counts.received += 1;
      if (receipt === 'fresh') return;
      if (delayed && this.#ends.get(to)?.some((end) => end > sentAt - ON_ITS_WAY)) this.counts.stored += 1;
      else this.#violated('reordered', at, name);
    }
  }

  #login(user: number, planned: boolean): void {
    if (this.#loggedIn.has(user)) {
      if (planned) return;
      this.counts.logins += 1;
      this.#latest.logins += 1;
    }
    this.#loggedIn.add(user);
  }

  /** The fault that took this message along. */
  #killed({ from, to }: MessageId, acceptedAt: number): Step | undefined {
    return this.steps.find(({ at, loses, recoveredAt = Infinity }) => {
      if (loses === 'nothing' || acceptedAt < at - ON_ITS_WAY || acceptedAt > recoveredAt) return false;
      if (loses === 'storage' && acceptedAt >= at) return true;
      const ends = [...(this.#ends.get(from) ?? []), ...(this.#ends.get(to) ?? [])];
      return ends.some((end) => end >= at && end <= recoveredAt);
    });
  }

  #violated(invariant: Invariant, at: number, what: string): void {
    const step = this.steps.findLastIndex((known) => known.at <= at);
    const violation = { invariant, at, what, step };
    this.violations.push(violation);
    this.steps[step]?.violations.push(violation);
  }

  #pair({ from, to }: MessageId): Pair {
    const key = `${from} ${to}`;
    let pair = this.#pairs.get(key);
    if (pair === undefined) {
      pair = new Pair();
      this.#pairs.set(key, pair);
    }
    return pair;
  }
}

export const newStep = (begun: Pick<Step, 'at' | 'fault' | 'what' | 'loses'>): Step => ({
  at: begun.at,
  fault: begun.fault,
  what: begun.what,
  loses: begun.loses,
  recoveredAt: undefined,
  logins: 0,
  gone: 0,
  errors: new Map(),
  violations: [],
});
