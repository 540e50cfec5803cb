/** Amounts with a unit, as ejabberd's operators write them: `60 s`, `2 min`, `64 KB`. */

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

function readAmount(raw: unknown, units: Readonly<Record<string, number>>): number | undefined {
  if (typeof raw === 'number') return raw;
  const [, digits, unit = ''] = typeof raw === 'string' ? (/^\s*(\d+)\s*([a-z]*)\s*$/i.exec(raw) ?? []) : [];
  if (digits === undefined) return undefined;
  const factor = unit === '' ? 1 : units[unit.toLowerCase()];
  return factor === undefined ? undefined : Number(digits) * factor;
}
