/** Waits for what others are to do, and not for ever: what never comes is told, and fails whoever waited. */

/** Far beyond what anything takes on the busiest of machines. */
export const PATIENCE_MS = 60_000;

/** @param what is waited for; asked when it did not come */
export function within<T>(promise: Promise<T>, what: () => string, patience = PATIENCE_MS): Promise<T> {
  // Where it is made: the timer knows nothing of who waits.
  const { stack = '' } = new Error();
  const outcome = new Promise<T>((resolve, reject) => {
    const timer = setTimeout(() => {
      const error = new Error(`never came: ${what()}`);
      error.stack = `${error.message}${stack.slice(stack.indexOf('\n'))}`;
      reject(error);
    }, patience).unref();
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
  // Somebody may lose interest in it.
  outcome.catch(() => {});
  return outcome;
}
