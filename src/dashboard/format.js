/** Figures for people: a value that is not known is a dash. */

const WHOLE = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });
const NOT_KNOWN = '–';

/** @typedef {(value: number | null | undefined) => string} Format */

/**
 * @param {(value: number) => string} format
 * @returns {Format}
 */
const known = (format) => (value) => (value == null || !Number.isFinite(value) ? NOT_KNOWN : format(value));

/**
 * Three figures at most, and the larger unit from 1000 on.
 * @param {number} value
 * @param {readonly string[]} units
 */
function scaled(value, units) {
  let at = 0;
  let rest = value;
  while (Math.abs(rest) >= 999.5 && at < units.length - 1) {
    rest /= 1000;
    at += 1;
  }
  const digits = at === 0 || Math.abs(rest) >= 99.95 ? 0 : Math.abs(rest) >= 9.995 ? 1 : 2;
  return `${rest.toFixed(digits)}\u00a0${units[at]}`.trimEnd();
}

export const count = known((value) => WHOLE.format(value));
export const bytes = known((value) => scaled(value, ['B', 'kB', 'MB', 'GB', 'TB']));
export const byteRate = known((value) => `${scaled(value, ['B', 'kB', 'MB', 'GB', 'TB'])}/s`);
export const rate = known(
  (value) => `${value > 0 && value < 9.95 ? value.toFixed(1) : WHOLE.format(value)}\u00a0/s`,
);
/** Of one core. */
export const percent = known((value) => `${(100 * value).toFixed(value < 0.0995 ? 1 : 0)}\u00a0%`);

export const seconds = known((value) => {
  if (value >= 0.9995) return `${value.toFixed(value < 9.995 ? 2 : 1)}\u00a0s`;
  const ms = 1000 * value;
  return `${ms.toFixed(ms < 9.95 ? 1 : 0)}\u00a0ms`;
});

/** For the axes, where room is short. */
export const brief = known((value) => {
  const [number = '', unit = ''] = scaled(value, ['', 'k', 'M', 'G', 'T']).split('\u00a0');
  return Math.abs(value) < 1000 ? `${Number(value.toPrecision(3))}` : `${Number(number)}${unit}`;
});

const SPANS = /** @type {const} */ ([
  [86_400, 'd'],
  [3600, 'h'],
  [60, 'min'],
  [1, 's'],
]);

/** The two largest units of it. */
export const span = known((value) => {
  let rest = Math.max(0, Math.floor(value));
  const first = SPANS.findIndex(([length]) => rest >= length);
  if (first < 0) return '0\u00a0s';
  const parts = SPANS.slice(first, first + 2).map(([length, unit]) => {
    const amount = Math.floor(rest / length);
    rest -= amount * length;
    return [amount, unit];
  });
  return parts
    .filter(([amount], at) => at === 0 || amount !== 0)
    .map(([amount, unit]) => `${amount}\u00a0${unit}`)
    .join(' ');
});

/**
 * @param {number} at seconds since 1970
 * @returns {string} the time of day here
 */
export const clock = (at) => new Date(1000 * at).toLocaleTimeString('en-GB');
