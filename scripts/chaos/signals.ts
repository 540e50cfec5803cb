/** Signals to programs that have processes of their own, which may end, or be replaced, while they are looked at. */

import { existsSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { family, isGone } from '../load/linux-process.js';

/** Ten seconds in all. */
const MAX_TRIES = 1_000;
const TRY_AGAIN_MS = 10;

/** To it, and all that it started. */
export async function signalFamily(first: number, signal: NodeJS.Signals): Promise<void> {
  // A child that it starts just now would be left over, with its port.
  if (signal === 'SIGKILL') await send('SIGSTOP', [first]);
  await send(signal, await familyOf(first));
}

/** @param number of the child, counted round and round */
export async function killChildOf(first: number, number: number): Promise<void> {
  const [, ...children] = await familyOf(first);
  if (children.length > 0) await send('SIGKILL', [children[number % children.length] as number]);
}

/** Who is killed has let go of its ports when this resolves. */
export async function send(signal: NodeJS.Signals, pids: readonly number[]): Promise<void> {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      // It was faster.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
  if (signal !== 'SIGKILL') return;
  for (let tries = 0; !pids.every(isGone) && tries < MAX_TRIES; tries += 1) await sleep(TRY_AGAIN_MS);
}

/** The first is the one that has the others. */
async function familyOf(first: number): Promise<readonly number[]> {
  for (let tries = 0; existsSync(`/proc/${first}`) && tries < MAX_TRIES; tries += 1) {
    try {
      return family(first);
    } catch {
      await sleep(TRY_AGAIN_MS);
    }
  }
  return [];
}
