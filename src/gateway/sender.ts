/** What is said to nodes of exchanges: the requests, what became of them, that they are closed, and the marks between. */

import { encodeVersioned } from '../etf/encode.js';
import { atom, Pid, tuple } from '../etf/terms.js';
import type { TurnClock } from '../observe/turn-clock.js';
import type { ClusterNode } from './cluster-node.js';
import { MODULE } from './contract.js';
import type { Exchange } from './exchange.js';
import { encodeMeta } from './meta.js';
import type { ErlangNode, HttpRequest } from './ports.js';
import { RequestEncoder } from './requests.js';

const HELD = atom('held');
const MARK = atom('mark');
const RELEASE = atom('release');

export class Sender {
  readonly #node: ErlangNode;
  readonly #encoder: RequestEncoder;
  /** The gateway itself, where a ConnId would stand. */
  readonly #self: Pid;

  readonly #clock: TurnClock;

  constructor(node: ErlangNode, clock: TurnClock) {
    this.#node = node;
    this.#clock = clock;
    this.#encoder = new RequestEncoder(node.name, node.creation);
    this.#self = new Pid(node.name, 0, 0, node.creation);
  }

  /**
   * @param from where the request has just come in: what starts a session never waits
   * @returns `false`: nothing was sent, for the node does not read what waits for it already
   */
  request(
    slot: number,
    generation: number,
    { node, sid }: Exchange,
    body: Buffer,
    from: HttpRequest | undefined,
  ): boolean {
    const startsSession = sid === undefined;
    const meta =
      from !== undefined && startsSession && node.kind === 'module' ? encodeMeta(from.client) : undefined;
    const head = this.#encoder.requestHead(slot, generation, body.length, meta !== undefined);
    if (!this.#node.sendToName(node.name, MODULE, head, body, meta)) return false;
    if (node.kind === 'module' && !startsSession) node.outbox.sent(slot, body);
    else node.outbox.sentOther(slot);
    this.mark(node, false);
    return true;
  }

  /** Asks what became of a request that was sent before. Returns as `request` does. */
  question(slot: number, connId: Pid, { node, sid = '', rid }: Exchange): boolean {
    const question = tuple(connId, HELD, Buffer.from(sid, 'latin1'), rid);
    if (!this.#node.sendToName(node.name, MODULE, encodeVersioned(question))) return false;
    node.outbox.sentOther(slot);
    this.mark(node, false);
    return true;
  }

  /** The client went away, or waits no more. */
  closed(slot: number, generation: number, { node, sid }: Exchange): void {
    // A shell that had the request may have ended, and its name be anybody's.
    if (node.kind === undefined) return;
    const bytes = Buffer.from(sid ?? '', 'latin1');
    const head = this.#encoder.closedHead(slot, generation, bytes.length);
    this.#node.sendToName(node.name, MODULE, head, bytes);
  }

  /** It is to be answered now. A shell would not know what that means. */
  release(connId: Pid, { node, sid = '' }: Exchange): void {
    if (node.kind !== 'module') return;
    const release = tuple(connId, RELEASE, Buffer.from(sid, 'latin1'));
    this.#node.sendToName(node.name, MODULE, encodeVersioned(release));
  }

  /** Marks the place, if it is time to. @param quiet nothing more is being sent */
  mark(node: ClusterNode, quiet: boolean): void {
    if (node.kind !== 'module') return;
    const place = node.outbox.markDue(quiet);
    if (place === 0) return;
    const mark = encodeVersioned(tuple(this.#self, MARK, place));
    if (this.#node.sendToName(node.name, MODULE, mark)) node.outbox.marked(place, this.#clock);
  }
}
