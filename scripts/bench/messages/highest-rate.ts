/** Finds the highest rate at which a server does well, in few tries: doubled until it fails, then by bisection. */

/** A rate that fails is tried once more: one hiccup of the machine must not decide. */
const TRIES = 2;

/**
 * Yields rates to try, and takes whether each went well. Returns the highest that did, or 0.
 * @param first where to begin
 * @param precision how far the lowest rate that fails may lie above the highest that does not, as a ratio
 * @param least what is not worth a try below
 */
export function* highestRate(
  first: number,
  precision: number,
  least: number,
): Generator<number, number, boolean> {
  let well = 0;
  let failed = Infinity;
  let rate = first;
  while (failed / well > precision && rate >= least) {
    let goesWell = false;
    for (let tries = 0; tries < TRIES && !goesWell; tries += 1) goesWell = yield rate;
    if (goesWell) well = rate;
    else failed = rate;
    if (failed === Infinity) rate = well * 2;
    else rate = Math.round(well === 0 ? failed / 2 : Math.sqrt(well * failed));
  }
  return well;
}
