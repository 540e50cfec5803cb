/** Amounts with a unit, as ejabberd's operators write them: `60 s`, `2 min`, `64 KB`, and how often something may be: `60/min`. */

import type { Rate } from '../node/token-buckets.js';

const SECONDS: Readonly<Record<string, number>> = {
  ms: 0.001,
  s: 1,
  sec: 1,
  second: 1,
  seconds: 1,
  min: 60,
  minute: 60,
  minutes: 60,
  h: 3600,
  hour: 3600,
  hours: 3600,
};

const BYTES: Readonly<Record<string, number>> = { b: 1, kb: 1024, mb: 1024 ** 2, gb: 1024 ** 3 };

/** Seconds; a bare number is seconds. */
export function readDuration(raw: unknown): number | undefined {
  return readAmount(raw, SECONDS);
}

/** Bytes; a bare number is bytes, and a KB has 1024. */
export function readSize(raw: unknown): number | undefined {
  return readAmount(raw, BYTES);
}

/** `60/min`: so many at once, which are made up for in that time, an hour at most. */
export function readRate(raw: unknown): Rate | undefined {
  const [, count, time = ''] = typeof raw === 'string' ? (/^\s*(\d{1,7})\s*\/(.+)$/.exec(raw) ?? []) : [];
  const seconds = readDuration(/\d/.test(time) ? time : `1${time.trim()}`) ?? 0;
  const burst = Number(count);
  return burst >= 1 && seconds >= 1 && seconds <= 3600 ? { burst, perSecond: burst / seconds } : undefined;
}

function readAmount(raw: unknown, units: Readonly<Record<string, number>>): number | undefined {
  if (typeof raw === 'number') return raw;
  const [, digits, unit = ''] = typeof raw === 'string' ? (/^\s*(\d+)\s*([a-z]*)\s*$/i.exec(raw) ?? []) : [];
  if (digits === undefined) return undefined;
  const factor = unit === '' ? 1 : units[unit.toLowerCase()];
  return factor === undefined ? undefined : Number(digits) * factor;
}
