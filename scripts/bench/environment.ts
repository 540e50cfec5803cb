/** Numbers from the environment. */

/** @throws Error where it is set and no number of at least `least` */
export function numberFrom(variable: string, usual: number, least: number): number {
  const [value = usual] = numbersFrom(variable, [usual], least);
  return value;
}

/** Several, with commas between them. */
export function numbersFrom(variable: string, usual: readonly number[], least: number): readonly number[] {
  const text = process.env[variable];
  if (text === undefined || text === '') return usual;
  const values = text.split(',').map(Number);
  if (!values.every((value) => value >= least)) {
    throw new Error(`${variable}=${text}: expected a number of at least ${least}`);
  }
  return values;
}
