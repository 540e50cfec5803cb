/**
 * The control messages of a connection: signals between processes of the two nodes.
 * Erlang Distribution Protocol, "Protocol between Connected Nodes". Field order is that of the wire.
 *
 * Operations with a trace token (`…_TT`) decode as the ones without: nothing here traces.
 *
 * The length in front of a frame alone tells where the next one begins, so a control message that is none does no harm:
 * `Channel` leaves it out.
 */

import { MegaphoneError } from '../errors.js';
import { encodeVersioned } from '../etf/encode.js';
import { Atom, atom, Pid, Reference, type Term, Tuple, tuple } from '../etf/terms.js';

/** A process as monitors name it: by pid, or by its registered name. */
export type ProcessId = Pid | string;

export type Control =
  | { readonly op: 'LINK'; readonly from: Pid; readonly to: Pid }
  | { readonly op: 'SEND'; readonly to: Pid }
  | { readonly op: 'EXIT'; readonly from: Pid; readonly to: Pid; readonly reason: Term }
  | { readonly op: 'REG_SEND'; readonly from: Pid; readonly to: string }
  /** The leader may be of any node. */
  | { readonly op: 'GROUP_LEADER'; readonly leader: Pid; readonly to: Pid }
  | { readonly op: 'EXIT2'; readonly from: Pid; readonly to: Pid; readonly reason: Term }
  | { readonly op: 'MONITOR_P'; readonly from: Pid; readonly to: ProcessId; readonly ref: Reference }
  | { readonly op: 'DEMONITOR_P'; readonly from: Pid; readonly to: ProcessId; readonly ref: Reference }
  | {
      readonly op: 'MONITOR_P_EXIT';
      readonly from: ProcessId;
      readonly to: Pid;
      readonly ref: Reference;
      readonly reason: Term;
    }
  | { readonly op: 'SEND_SENDER'; readonly from: Pid; readonly to: Pid }
  /** The reason is the payload; likewise in the next two. */
  | { readonly op: 'PAYLOAD_EXIT'; readonly from: Pid; readonly to: Pid }
  | { readonly op: 'PAYLOAD_EXIT2'; readonly from: Pid; readonly to: Pid }
  | {
      readonly op: 'PAYLOAD_MONITOR_P_EXIT';
      readonly from: ProcessId;
      readonly to: Pid;
      readonly ref: Reference;
    }
  | { readonly op: 'ALIAS_SEND'; readonly from: Pid; readonly to: Reference }
  | { readonly op: 'UNLINK_ID'; readonly id: number | bigint; readonly from: Pid; readonly to: Pid }
  | { readonly op: 'UNLINK_ID_ACK'; readonly id: number | bigint; readonly from: Pid; readonly to: Pid };

/** The bytes of a control message, with their leading 131. */
export function encodeControl(control: Control): Buffer {
  return encodeVersioned(controlTerm(control));
}

function controlTerm(control: Control): Term {
  switch (control.op) {
    case 'LINK':
      return tuple(1, control.from, control.to);
    case 'SEND':
      return tuple(2, NOTHING, control.to);
    case 'EXIT':
      return tuple(3, control.from, control.to, control.reason);
    case 'REG_SEND':
      return tuple(6, control.from, NOTHING, atom(control.to));
    case 'GROUP_LEADER':
      return tuple(7, control.leader, control.to);
    case 'EXIT2':
      return tuple(8, control.from, control.to, control.reason);
    case 'MONITOR_P':
      return tuple(19, control.from, processTerm(control.to), control.ref);
    case 'DEMONITOR_P':
      return tuple(20, control.from, processTerm(control.to), control.ref);
    case 'MONITOR_P_EXIT':
      return tuple(21, processTerm(control.from), control.to, control.ref, control.reason);
    case 'SEND_SENDER':
      return tuple(22, control.from, control.to);
    case 'PAYLOAD_EXIT':
      return tuple(24, control.from, control.to);
    case 'PAYLOAD_EXIT2':
      return tuple(26, control.from, control.to);
    case 'PAYLOAD_MONITOR_P_EXIT':
      return tuple(28, processTerm(control.from), control.to, control.ref);
    case 'ALIAS_SEND':
      return tuple(33, control.from, control.to);
    case 'UNLINK_ID':
      return tuple(35, control.id, control.from, control.to);
    case 'UNLINK_ID_ACK':
      return tuple(36, control.id, control.from, control.to);
  }
}

/**
 * @param term the decoded control term of a frame
 * @throws MegaphoneError LINK_BAD_CONTROL: not a tuple, an operation we did not offer, a wrong arity or type
 */
export function decodeControl(term: Term): Control {
  if (!(term instanceof Tuple)) throw badControl('a control message that is no tuple');
  const [op, a, b, c, d] = term.elements;
  const arity = term.elements.length;
  if (typeof op !== 'number' || ARITY[op] !== arity) {
    throw badControl(
      `the operation ${typeof op === 'number' ? op : 'without a number'} in a tuple of ${arity}`,
    );
  }
  switch (op) {
    case 1:
      return { op: 'LINK', from: pid(a), to: pid(b) };
    case 2:
    case 12:
      return { op: 'SEND', to: pid(b) };
    case 3:
      return { op: 'EXIT', from: pid(a), to: pid(b), reason: c as Term };
    case 13:
      return { op: 'EXIT', from: pid(a), to: pid(b), reason: d as Term };
    case 6:
    case 16:
      return { op: 'REG_SEND', from: pid(a), to: name(c) };
    case 7:
      return { op: 'GROUP_LEADER', leader: pid(a), to: pid(b) };
    case 8:
      return { op: 'EXIT2', from: pid(a), to: pid(b), reason: c as Term };
    case 18:
      return { op: 'EXIT2', from: pid(a), to: pid(b), reason: d as Term };
    case 19:
      return { op: 'MONITOR_P', from: pid(a), to: process(b), ref: reference(c) };
    case 20:
      return { op: 'DEMONITOR_P', from: pid(a), to: process(b), ref: reference(c) };
    case 21:
      return { op: 'MONITOR_P_EXIT', from: process(a), to: pid(b), ref: reference(c), reason: d as Term };
    case 22:
    case 23:
      return { op: 'SEND_SENDER', from: pid(a), to: pid(b) };
    case 24:
    case 25:
      return { op: 'PAYLOAD_EXIT', from: pid(a), to: pid(b) };
    case 26:
    case 27:
      return { op: 'PAYLOAD_EXIT2', from: pid(a), to: pid(b) };
    case 28:
      return { op: 'PAYLOAD_MONITOR_P_EXIT', from: process(a), to: pid(b), ref: reference(c) };
    case 33:
    case 34:
      return { op: 'ALIAS_SEND', from: pid(a), to: reference(b) };
    case 35:
      return { op: 'UNLINK_ID', id: unlinkId(a), from: pid(b), to: pid(c) };
    case 36:
      return { op: 'UNLINK_ID_ACK', id: unlinkId(a), from: pid(b), to: pid(c) };
    default:
      throw badControl(`the operation ${op}`);
  }
}

/**
 * Tuple sizes, by operation. Missing on purpose: 4 UNLINK (replaced by UNLINK_ID, which we require), 5 NODE_LINK
 * (obsolete), 29–32 SPAWN_… (we do not offer the flag SPAWN).
 */
const ARITY: Readonly<Record<number, number>> = {
  1: 3,
  2: 3,
  3: 4,
  6: 4,
  7: 3,
  8: 4,
  12: 4,
  13: 5,
  16: 5,
  18: 5,
  19: 4,
  20: 4,
  21: 5,
  22: 3,
  23: 4,
  24: 3,
  25: 4,
  26: 3,
  27: 4,
  28: 4,
  33: 3,
  34: 4,
  35: 4,
  36: 4,
};

/** Fills the places the protocol no longer uses. */
const NOTHING = atom('');

const processTerm = (process: ProcessId): Term => (typeof process === 'string' ? atom(process) : process);

function pid(term: Term | undefined): Pid {
  if (term instanceof Pid) return term;
  throw badControl('no pid where one belongs');
}

function name(term: Term | undefined): string {
  if (term instanceof Atom) return term.name;
  throw badControl('no name where one belongs');
}

function process(term: Term | undefined): ProcessId {
  return term instanceof Pid ? term : name(term);
}

function reference(term: Term | undefined): Reference {
  if (term instanceof Reference) return term;
  throw badControl('no reference where one belongs');
}

/** From 1 to 2^64 - 1: a peer ends the connection where its id comes back and is none. */
function unlinkId(term: Term | undefined): number | bigint {
  const isInteger = typeof term === 'number' || typeof term === 'bigint';
  if (isInteger && term >= 1 && term < 2n ** 64n) return term;
  throw badControl('no unlink id where one belongs');
}

export function badControl(what: string): MegaphoneError {
  return new MegaphoneError('LINK_BAD_CONTROL', `The peer sent ${what}`);
}
