/** What becomes of exchanges when their node comes into service, goes out of it, or is no more. */

import type { ClusterNode, NodeListener, PeerKind } from './cluster-node.js';
import type { Exchange } from './exchange.js';
import { lossOf, type OpenExchanges } from './open-exchanges.js';
import * as refusals from './refusals.js';

interface Question {
  readonly slot: number;
  readonly rid: number;
}

export class NodeEvents implements Omit<NodeListener, 'died'> {
  readonly #open: OpenExchanges;

  constructor(open: OpenExchanges) {
    this.#open = open;
  }

  outOfService(node: ClusterNode, kind: PeerKind): void {
    // Whoever has a ConnId may answer it still, without a module.
    if (kind === 'plain') return;
    const questions: Question[] = [];
    this.#open.forEachOf(node, (exchange, slot) => {
      if (this.#open.refuse(slot, exchange, 'moduleDown', refusals.NODE_LOST)) return;
      if (exchange.state === 'ended') return;
      if (!node.outbox.hasBody(slot)) questions.push({ slot, rid: exchange.rid });
      this.#open.deadlines.return(slot);
    });
    node.outbox.broken(inOrder(questions));
  }

  connectionLost(node: ClusterNode): void {
    this.#open.forEachOf(node, (exchange, slot) =>
      this.#open.refuse(slot, exchange, 'connectionDown', lossOf(exchange)),
    );
  }

  inService(node: ClusterNode): void {
    for (const [slot, body] of node.outbox.waiting) {
      this.#open.deadlines.answer(slot);
      const exchange = this.#open.get(slot);
      if (node.kind === 'module' || body !== undefined || exchange === undefined) continue;
      this.#open.refuse(slot, exchange, 'cannotAsk', refusals.NODE_LOST);
    }
    this.#open.sender.mark(node, true);
    this.sendWaiting(node);
  }

  /** In order, as many as it takes. */
  sendWaiting(node: ClusterNode): void {
    for (const [slot, body] of node.outbox.waiting) {
      if (!node.takesRequests) return;
      const exchange = this.#open.get(slot);
      if (exchange !== undefined) this.#open.send(slot, exchange, body);
    }
  }

  /**
   * Others may take what waits for a node that is away.
   * @param isLost and what was sent there as well, for it will not be back
   * @param route where a request with that sid goes now
   */
  elsewhere(node: ClusterNode, isLost: boolean, route: (sid: string) => ClusterNode | undefined): void {
    const targets = new Set<ClusterNode>();
    for (const slot of node.outbox.waiting.keys()) {
      const exchange = this.#open.get(slot);
      if (exchange?.sid === undefined || (exchange.state !== 'waiting' && !isLost)) continue;
      const target = route(exchange.sid);
      if (target?.kind === 'module' && this.#reroute(slot, exchange, exchange.sid, target))
        targets.add(target);
    }
    for (const target of targets) this.sendWaiting(target);
  }

  /** What this node may have passed on to one to which it has no way any more is asked for: where sessions move, that is anything. */
  passedInVain(node: ClusterNode): void {
    const questions: Question[] = [];
    this.#open.forEachOf(node, (exchange, slot) => {
      if (exchange.state !== 'sent') return;
      this.#open.step(slot, exchange, 'moduleDown');
      questions.push({ slot, rid: exchange.rid });
    });
    for (const slot of inOrder(questions)) node.outbox.ask(slot);
    this.sendWaiting(node);
  }

  /** Every second. @param nodes may have been sent something since their last marks */
  tick(nodes: Iterable<ClusterNode>): void {
    for (const node of nodes) {
      node.outbox.tick();
      this.#open.sender.mark(node, true);
    }
  }

  #reroute(slot: number, exchange: Exchange, sid: string, target: ClusterNode): boolean {
    const { node } = exchange;
    if (this.#open.step(slot, exchange, 'elsewhere').effect !== 'reroute') return false;
    node.outbox.handOver(slot, target.outbox);
    exchange.node = target;
    exchange.isStray = !sid.startsWith(target.tag);
    this.#open.deadlines.answer(slot);
    return true;
  }
}

/** A session answers as it is asked: its answers are to come in the order of its requests. */
function inOrder(questions: Question[]): number[] {
  return questions.sort((a, b) => a.rid - b.rid).map(({ slot }) => slot);
}
