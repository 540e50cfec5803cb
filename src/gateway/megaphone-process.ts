/**
 * The process registered as `megaphone`: `gen_server:call({megaphone, Node}, Request)`, answers to exchanges,
 * `{megaphone, Node} ! {ConnId, Status, Body}`, and the word of a node's module that it has taken so many requests,
 * `{credit, Count}`.
 *
 * Requests: `stats` and `health` give maps with binary keys; anything else `{error, unknown_request}`.
 */

import { encodePlain, type Plain } from '../etf/plain.js';
import { Atom, atom, Opaque, type Pid, type Term, Tuple, tuple } from '../etf/terms.js';
import type { HiddenNode, NamedProcess } from '../node/hidden-node.js';
import { incomingCall } from '../node/incoming-call.js';
import type { Gateway } from './gateway.js';

export const PROCESS_NAME = 'megaphone';

export interface Reports {
  stats(): Promise<Plain>;
  health(): Plain;
}

export class MegaphoneProcess implements NamedProcess {
  readonly #node: Pick<HiddenNode, 'reply'>;
  readonly #gateway: Gateway;
  readonly #reports: Reports;

  constructor(node: Pick<HiddenNode, 'reply'>, gateway: Gateway, reports: Reports) {
    this.#node = node;
    this.#gateway = gateway;
    this.#reports = reports;
  }

  deliver(payload: Buffer, _from: Pid | undefined, peer: string): void {
    const term = this.#gateway.decode(payload, peer);
    if (term === undefined) return;
    const node = this.#gateway.cluster.find(peer);
    const credit = creditOf(term);
    if (node !== undefined && credit > 0) {
      this.#gateway.credit(node, credit);
      return;
    }
    const call = incomingCall(term);
    if (call === undefined) this.#gateway.answer(term, undefined, peer);
    else void this.#handle(call.request).then((answer) => this.#node.reply(call, answer));
  }

  async #handle(request: Term): Promise<Term> {
    const name = request instanceof Atom ? request.name : '';
    if (name === 'stats') return new Opaque(encodePlain(await this.#reports.stats()));
    if (name === 'health') return new Opaque(encodePlain(this.#reports.health()));
    return tuple(atom('error'), atom('unknown_request'));
  }
}

/** The count of `{credit, Count}`, 0 for another term. */
function creditOf(term: Term): number {
  const [name, count] = term instanceof Tuple && term.elements.length === 2 ? term.elements : [];
  return name instanceof Atom && name.name === 'credit' && typeof count === 'number' ? count : 0;
}
