/** What is published: numbered for each id, with the time, as long as all others. */

import { nowMicroseconds } from '../../load/clock.js';

export interface Message {
  /** 1 and larger, dense for each id. */
  readonly number: number;
  /** Microseconds of the machine's monotonic clock. */
  readonly at: number;
}

export const MESSAGE_BYTES = 100;

export const write = (number: number, at = nowMicroseconds()): string =>
  `${number} ${at} `.padEnd(MESSAGE_BYTES, '.');

/** `undefined` is none of ours. */
export function read(text: string): Message | undefined {
  const [number, at] = text.split(' ', 2).map(Number);
  return Number.isInteger(number) && Number.isInteger(at) ? { number: number ?? 0, at: at ?? 0 } : undefined;
}
