/** A server whose listeners are measured, on the cores that it was started on. */

import { setTimeout as sleep } from 'node:timers/promises';
import { cpuSeconds, family, isGone, residentBytes } from '../../load/linux-process.js';
import type { Style } from './publisher-process.js';

export const SUBJECTS = ['gateway', 'bare node:net', 'Pushpin', 'nchan'] as const;
export type SubjectName = (typeof SUBJECTS)[number];

export interface Publishing {
  readonly url: string;
  readonly style: Style;
  readonly token: string | undefined;
}

export interface Subject {
  readonly name: SubjectName;
  /** Of an id, which is appended. */
  readonly url: string;
  readonly publishing: Publishing;
  /** All its processes. */
  pids(): readonly number[];
  /** Resolves when they are gone. */
  stop(): Promise<void>;
}

/** Seconds of processor time since its start. */
export const cpuOf = (subject: Subject): number =>
  subject.pids().reduce((sum, pid) => sum + cpuSeconds(pid), 0);

/** Resident bytes. */
export const memoryOf = (subject: Subject): number =>
  subject.pids().reduce((sum, pid) => sum + residentBytes(pid), 0);

/** Those that `pid` started end with us as well, however that comes. */
export function endWithUs(pid: number): void {
  // Before it is ended itself: then nobody knows any more who they were.
  process.prependOnceListener('exit', () => {
    if (isGone(pid)) return;
    for (const each of family(pid)) process.kill(each, 'SIGKILL');
  });
}

const POLL_MS = 20;

/** SIGTERM would let clients finish, or be done before the workers are. */
export async function endAll(pids: readonly number[]): Promise<void> {
  for (const pid of pids) if (!isGone(pid)) process.kill(pid, 'SIGKILL');
  while (!pids.every(isGone)) await sleep(POLL_MS);
}
