/**
 * The life of one place among the workers, as a value. Only what has been up is replaced: a first start that fails is the
 * operator's to mend.
 *
 *   starting    for the first time
 *   running     its process is up, or will be soon, in the place of one that was
 *   pausing     that one ended, and the next is started a little later
 *   stopping    nothing begins any more
 *
 *   event       starting  running   pausing   stopping
 *   up          running   ·         ·         ·
 *   ended       ·         pausing   ·         ·
 *   pauseOver   ·         ·         running   ·
 *   stop        stopping  stopping  stopping  ·
 *
 * A dot: nothing changes.
 */

import { backoff } from '../node/backoff.js';

export type SlotPhase = 'starting' | 'running' | 'pausing' | 'stopping';
export type SlotEvent = 'up' | 'ended' | 'pauseOver' | 'stop';

/** What is not in a row changes nothing, and has nothing done. */
export const SLOT_LIFE: Readonly<Record<SlotEvent, Readonly<Partial<Record<SlotPhase, SlotPhase>>>>> = {
  up: { starting: 'running' },
  ended: { running: 'pausing' },
  pauseOver: { pausing: 'running' },
  stop: { starting: 'stopping', running: 'stopping', pausing: 'stopping' },
};

/** Who lives shorter than this has failed to start. */
const STABLE_MS = 10_000;
/** So often in a row is no accident. */
const FAILING = 3;

interface Replacement {
  /** Ends in a row, each soon after its start. */
  readonly failures: number;
  readonly isFailing: boolean;
  /** Milliseconds until the next is started: one that cannot live shall not keep the machine busy with starting it. */
  readonly pause: number;
}

/** @param before failures in a row until then; @param age milliseconds that the process lived; @param random as in `backoff` */
export function replacement(before: number, age: number, random?: number): Replacement {
  const failures = age < STABLE_MS ? before + 1 : 0;
  return { failures, isFailing: failures >= FAILING, pause: backoff(failures, random) };
}
