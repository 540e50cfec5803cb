/** Chat from outside: what a line says to users and rooms, ejabberd's router delivers, as the module asks it to on a node in service. */

import { MegaphoneError } from '../errors.js';
import { Atom, atom, binary, type Term, Tuple, tuple } from '../etf/terms.js';
import type { ClusterNode } from '../gateway/cluster-node.js';
import type { ErlangNode } from '../gateway/ports.js';
import { type Target, textOfTarget } from './line.js';

interface Nodes {
  readonly nodes: readonly Pick<ClusterNode, 'name' | 'kind'>[];
}

const MODULE = 'megaphone_outside';
const TIMEOUT_MS = 5_000;

/** What `megaphone_outside:say/3` answers, in words. */
const REASONS: Readonly<Record<string, string>> = {
  bad_sender: 'lines_from is no JID',
  bad_text: 'its text cannot be said in chat',
  bad_address: 'that is no JID',
  no_such_user: 'there is no such user',
  no_such_room: 'there is no such room',
  no_rooms: 'there are no rooms at that host',
  failed: 'ejabberd failed to deliver it, its log says why',
};

export class Chat {
  readonly #node: Pick<ErlangNode, 'rpc'>;
  readonly #cluster: Nodes;
  readonly #from: string;

  /** @param from the sender's JID; empty: ejabberd's first host */
  constructor(node: Pick<ErlangNode, 'rpc'>, cluster: Nodes, from: string) {
    this.#node = node;
    this.#cluster = cluster;
    this.#from = from;
  }

  /** @throws MegaphoneError OUTSIDE_NO_NODE, OUTSIDE_NOT_SAID with each that it was not said to, NODE_… */
  async say(targets: readonly Target[], text: string): Promise<void> {
    const node = this.#cluster.nodes.find(({ kind }) => kind === 'module');
    if (node === undefined) {
      throw new MegaphoneError('OUTSIDE_NO_NODE', 'no ejabberd node with mod_megaphone is in service', {
        hint: '`megaphone nodes` says why; %ID works without one',
      });
    }
    const to = targets.map(({ kind, name }) => tuple(atom(kind), binary(name)));
    const args = [to, binary(this.#from), binary(text)];
    const answer = await this.#node.rpc(node.name, MODULE, 'say', args, TIMEOUT_MS);
    const answers: readonly Term[] = Array.isArray(answer) ? (answer as readonly Term[]) : [];
    const failed = targets.flatMap((target, index) => {
      const reason = reasonIn(answers[index]);
      return reason === undefined ? [] : [`${textOfTarget(target)}: ${REASONS[reason] ?? reason}`];
    });
    if (failed.length > 0)
      throw new MegaphoneError('OUTSIDE_NOT_SAID', failed.join('; '), { node: node.name });
  }
}

/** `undefined`: it was said. */
function reasonIn(answer: Term | undefined): string | undefined {
  if (answer instanceof Atom && answer.name === 'ok') return undefined;
  const [, reason] = answer instanceof Tuple ? answer.elements : [];
  return reason instanceof Atom ? reason.name : 'failed';
}
