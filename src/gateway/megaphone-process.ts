/**
 * The process registered as `megaphone`: `gen_server:call({megaphone, Node}, Request)` and answers to exchanges,
 * `{megaphone, Node} ! {ConnId, Status, Body}`.
 *
 * Requests: `stats` and `health` give maps with binary keys; anything else `{error, unknown_request}`.
 */

import { encode } from '../etf/encode.js';
import { encodePlain, type Plain } from '../etf/plain.js';
import { Atom, atom, Pid, type Term, Tuple, tuple } from '../etf/terms.js';
import type { ErlangNode, NamedProcess } from './erlang-node.js';
import type { Gateway } from './gateway.js';

export const PROCESS_NAME = 'megaphone';

/** JSON-like data for people and programs. */
export interface Reports {
  stats(): Plain;
  health(): Plain;
}

/** `{'$gen_call', {Pid, Tag}, Request}`: what `gen_server:call` sends. */
interface Call {
  readonly from: Pid;
  /** Often an improper list, `[alias|Ref]`; it goes back as it came. */
  readonly tag: Term;
  readonly request: Term;
}

export class MegaphoneProcess implements NamedProcess {
  readonly #node: ErlangNode;
  readonly #gateway: Gateway;
  readonly #reports: Reports;

  constructor(node: ErlangNode, gateway: Gateway, reports: Reports) {
    this.#node = node;
    this.#gateway = gateway;
    this.#reports = reports;
  }

  deliver(payload: Buffer, _from: Pid | undefined, peer: string): void {
    const term = this.#gateway.decode(payload, peer);
    if (term === undefined) return;
    const call = readCall(term);
    if (call === undefined) this.#gateway.answer(term, undefined, peer);
    else this.#node.send(call.from, replyMessage(call.tag, this.#handle(call.request)));
  }

  /** The encoded reply. */
  #handle(request: Term): Buffer {
    const name = request instanceof Atom ? request.name : '';
    if (name === 'stats') return encodePlain(this.#reports.stats());
    if (name === 'health') return encodePlain(this.#reports.health());
    return encode(tuple(atom('error'), atom('unknown_request')));
  }
}

function readCall(term: Term): Call | undefined {
  if (!(term instanceof Tuple) || term.elements.length !== 3) return undefined;
  const [kind, from, request] = term.elements;
  if (!(kind instanceof Atom) || kind.name !== '$gen_call' || !(from instanceof Tuple)) return undefined;
  const [pid, tag] = from.elements;
  if (!(pid instanceof Pid) || tag === undefined || request === undefined) return undefined;
  return { from: pid, tag, request };
}

/** `{Tag, Reply}` with its leading 131. */
function replyMessage(tag: Term, reply: Buffer): Buffer {
  return Buffer.concat([Buffer.from([131, 104, 2]), encode(tag), reply]);
}
