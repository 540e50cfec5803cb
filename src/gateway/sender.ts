/** What is said to nodes of exchanges: the requests, what became of them, that they are closed, and the marks between. */

import { encodeVersioned } from '../etf/encode.js';
import { atom, Pid, tuple } from '../etf/terms.js';
import { type ClusterNode, MODULE } from './cluster.js';
import type { ExchangeTable } from './exchanges.js';
import { encodeMeta } from './meta.js';
import type { ErlangNode, HttpExchange, HttpRequest } from './ports.js';
import { RequestEncoder } from './requests.js';

export interface OpenExchange {
  readonly http: HttpExchange;
  readonly node: ClusterNode;
  readonly sid: string | undefined;
  /** 0 for none. */
  readonly rid: number;
  /** Which of its node's connections it was last sent over, by number; 0 while it was never sent. */
  connection: number;
}

const HELD = atom('held');
const MARK = atom('mark');

export class Sender {
  readonly #node: ErlangNode;
  readonly #exchanges: ExchangeTable<OpenExchange>;
  readonly #encoder: RequestEncoder;
  /** The gateway itself, where a ConnId would stand. */
  readonly #self: Pid;

  constructor(node: ErlangNode, exchanges: ExchangeTable<OpenExchange>) {
    this.#node = node;
    this.#exchanges = exchanges;
    this.#encoder = new RequestEncoder(node.name, node.creation);
    this.#self = new Pid(node.name, 0, 0, node.creation);
  }

  connId(slot: number): Pid {
    return new Pid(this.#node.name, slot, this.#exchanges.generation(slot), this.#node.creation);
  }

  /**
   * @param from where the request has just come in: what starts a session never waits
   * @returns `false`: nothing was sent, for the node does not read what waits for it already
   */
  request(slot: number, exchange: OpenExchange, body: Buffer, from?: HttpRequest): boolean {
    const { node, sid } = exchange;
    const startsSession = sid === undefined;
    const meta =
      from !== undefined && startsSession && node.kind === 'module' ? encodeMeta(from.client) : undefined;
    const generation = this.#exchanges.generation(slot);
    const head = this.#encoder.requestHead(slot, generation, body.length, meta !== undefined);
    if (!this.#node.sendToName(node.name, MODULE, head, body, meta)) return false;
    exchange.connection = node.connection;
    // What starts a session is not sent twice: there would be two.
    if (node.kind === 'module' && !startsSession) node.outbox.sent(slot, body);
    else node.outbox.sentOther(slot);
    this.mark(node, false);
    return true;
  }

  /** Asks what became of a request that was sent before. Returns as `request` does. */
  question(slot: number, exchange: OpenExchange): boolean {
    const { node, sid = '', rid } = exchange;
    const question = tuple(this.connId(slot), HELD, Buffer.from(sid, 'latin1'), rid);
    if (!this.#node.sendToName(node.name, MODULE, encodeVersioned(question))) return false;
    exchange.connection = node.connection;
    node.outbox.sentOther(slot);
    this.mark(node, false);
    return true;
  }

  /** The client went away, or waits no more. */
  closed(slot: number, { node, sid }: OpenExchange): void {
    // A request that waits never got there, or its session learns of it when the client repeats it.
    if (node.kind === undefined || node.outbox.waiting.has(slot)) return;
    const bytes = Buffer.from(sid ?? '', 'latin1');
    const head = this.#encoder.closedHead(slot, this.#exchanges.generation(slot), bytes.length);
    this.#node.sendToName(node.name, MODULE, head, bytes);
  }

  /** Marks the place, if it is time to. @param quiet nothing more is being sent */
  mark(node: ClusterNode, quiet: boolean): void {
    if (node.kind !== 'module') return;
    const place = node.outbox.markDue(quiet);
    if (place === 0) return;
    const mark = encodeVersioned(tuple(this.#self, MARK, place));
    if (this.#node.sendToName(node.name, MODULE, mark)) node.outbox.marked(place);
  }
}
