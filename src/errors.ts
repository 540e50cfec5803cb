/**
 * The one error class of the gateway: every failure carries a stable code that operators can search for,
 * the Erlang node it concerns (if any) and a hint what to do. The cookie never belongs in any of them.
 */

/** Stable, searchable; the part before the first underscore names the layer. */
export type ErrorCode =
  | `COMET_${string}`
  | `CONFIG_${string}`
  | `EPMD_${string}`
  | `ETF_${string}`
  | `GATEWAY_${string}`
  | `HANDSHAKE_${string}`
  | `HTTP_${string}`
  | `LINK_${string}`
  | `NODE_${string}`
  | `OUTSIDE_${string}`;

export interface ErrorDetails {
  /** Full name of the peer node, e.g. `ejabberd@localhost`. */
  readonly node?: string;
  /** One sentence: what the operator can do about it. */
  readonly hint?: string;
  readonly cause?: unknown;
}

export class MegaphoneError extends Error {
  override readonly name = 'MegaphoneError';
  readonly code: ErrorCode;
  readonly node: string | undefined;
  readonly hint: string | undefined;

  constructor(code: ErrorCode, message: string, details: ErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.code = code;
    this.node = details.node;
    this.hint = details.hint;
  }
}
