/**
 * `ECONNREFUSED`, `ENOTFOUND` and the like. Preferred to the message, which is empty when both of the addresses of a
 * host failed.
 */
export function systemCode(error: NodeJS.ErrnoException): string {
  return error.code ?? error.message;
}
