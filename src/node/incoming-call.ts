/** The server's side of `gen_server:call`. */

import { Atom, ImproperList, Pid, Reference, type Term, Tuple } from '../etf/terms.js';

export interface IncomingCall {
  readonly from: Pid;
  /** To be echoed exactly: a reference, or the improper list `[alias | Reference]`. */
  readonly tag: Term;
  readonly request: Term;
}

/** Reads `{'$gen_call', {From, Tag}, Request}`; `undefined` when `message` is something else. */
export function incomingCall(message: Term): IncomingCall | undefined {
  if (!(message instanceof Tuple) || message.elements.length !== 3) return undefined;
  const [kind, sender, request] = message.elements;
  if (!(kind instanceof Atom) || kind.name !== '$gen_call') return undefined;
  if (!(sender instanceof Tuple) || sender.elements.length !== 2) return undefined;
  const [from, tag] = sender.elements;
  return from instanceof Pid ? { from, tag: tag as Term, request: request as Term } : undefined;
}

/**
 * The alias a caller listens on, if its tag has one (callers since OTP 24). An answer sent to it is dropped when the
 * caller has given up; sent to the pid it would stay in the caller's mailbox.
 */
export function aliasOf(tag: Term): Reference | undefined {
  return tag instanceof ImproperList && tag.tail instanceof Reference ? tag.tail : undefined;
}
