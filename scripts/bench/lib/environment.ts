/** Settings from the environment. */

import { TRANSPORTS, type Transport } from '../../load/user.js';

/** @throws Error where it is set and no number from `least` to `most` */
export function numberFrom(variable: string, usual: number, least: number, most = Infinity): number {
  const [value = usual] = numbersFrom(variable, [usual], least, most);
  return value;
}

/** Several, with commas between them. */
export function numbersFrom(
  variable: string,
  usual: readonly number[],
  least: number,
  most = Infinity,
): readonly number[] {
  const text = process.env[variable];
  if (text === undefined || text === '') return usual;
  const values = text.split(',').map(Number);
  if (values.every((value) => value >= least && value <= most)) return values;
  const range = most === Infinity ? `of at least ${least}` : `from ${least} to ${most}`;
  throw new Error(`${variable}=${text}: expected a number ${range}`);
}

/** Whether any of them is set. */
export const areSet = (variables: readonly string[]): boolean =>
  variables.some((name) => (process.env[name] ?? '') !== '');

/** Some of a few words. */
export function namesFrom<T extends string>(
  variable: string,
  all: readonly T[],
  usual: readonly T[] = all,
): readonly T[] {
  const text = process.env[variable];
  if (text === undefined || text === '') return usual;
  const wanted = text.split(',');
  const unknown = wanted.find((name) => !all.some((one) => one === name));
  if (unknown !== undefined) throw new Error(`${variable}=${text}: expected some of ${all.join(',')}`);
  return all.filter((name) => wanted.includes(name));
}

/** TRANSPORT, of an experiment with one of them at a time. */
export function transportFrom(): Transport {
  const [only] = namesFrom('TRANSPORT', TRANSPORTS, ['websocket']);
  return only ?? 'websocket';
}
