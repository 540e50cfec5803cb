/**
 * The process registered as `megaphone`: `gen_server:call({megaphone, Node}, Request)`, answers to exchanges,
 * `{megaphone, Node} ! {ConnId, Status, Body}`, and the word of a node's module that it came to a mark among the
 * requests, `{taken, Place}`, or takes no new sessions for a while, `{full, Seconds}`.
 *
 * Requests: `stats` and `health` give maps with binary keys; anything else `{error, unknown_request}`.
 */

import { encodePlain, type Plain } from '../etf/plain.js';
import { Atom, atom, Opaque, type Term, Tuple, tuple } from '../etf/terms.js';
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

  deliver(term: Term, peer: string): void {
    const node = this.#gateway.cluster.find(peer);
    const word = wordOf(term);
    if (node !== undefined && word !== undefined) {
      this.#gateway[word.name](node, word.count);
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

/** What a node's module says of itself, `{taken, Place}` or `{full, Seconds}`; `undefined` for another term. */
function wordOf(term: Term): { readonly name: 'taken' | 'full'; readonly count: number } | undefined {
  const [word, count] = term instanceof Tuple && term.elements.length === 2 ? term.elements : [];
  const name = word instanceof Atom ? word.name : undefined;
  if ((name !== 'taken' && name !== 'full') || !Number.isSafeInteger(count)) return undefined;
  return (count as number) > 0 ? { name, count: count as number } : undefined;
}
