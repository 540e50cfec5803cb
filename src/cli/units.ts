/** Figures as people read them. `null` is not known. */

type Known = number | null;

const NONE = '–';

export const amount = (value: Known): string =>
  value === null ? NONE : Math.round(value).toLocaleString('en-US');

/** Three digits are as exact as anybody can see. */
export function number(value: Known): string {
  if (value === null) return NONE;
  if (value === 0) return '0';
  return value >= 100 ? amount(value) : String(Number(value.toPrecision(value < 1 ? 2 : 3)));
}

export function bytes(value: Known): string {
  if (value === null) return NONE;
  const units = ['B', 'kB', 'MB', 'GB', 'TB'];
  let [left, unit] = [value, 0];
  for (; left >= 1000 && unit < units.length - 1; unit += 1) left /= 1000;
  return `${unit === 0 ? amount(left) : number(left)} ${units[unit]}`;
}

export const per = (value: Known, of: (value: Known) => string): string =>
  value === null ? NONE : `${of(value)}/s`;

export function seconds(value: Known): string {
  if (value === null) return NONE;
  return value < 1 ? `${number(1000 * value)} ms` : `${number(value)} s`;
}

/** The two largest units. */
export function span(total: number): string {
  const parts = [
    [Math.floor(total / 86_400), 'd'],
    [Math.floor(total / 3600) % 24, 'h'],
    [Math.floor(total / 60) % 60, 'min'],
    [Math.floor(total) % 60, 's'],
  ] as const;
  const first = parts.findIndex(([count]) => count > 0);
  const shown = first < 0 ? parts.slice(-1) : parts.slice(first, first + 2);
  return shown.map(([count, unit]) => `${count} ${unit}`).join(' ');
}
