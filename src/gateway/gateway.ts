/**
 * The flow from a request to its answer.
 *
 *   request ─▶ peek at the sid ─▶ pick the node ─▶ take a slot, send {ConnId, Body} ─▶ held
 *   held ─▶ an answer to its ConnId ─▶ answered
 *        ─▶ the client went away, or nobody answered in time ─▶ {ConnId, closed, Sid}
 *        ─▶ {gone, Sids}: its session was killed ─▶ item-not-found
 *
 * A request whose node is out of service waits, to be sent when the node is back or refused after a while; refused
 * with 503, so that the client repeats it. Those that were sent before wait, too, for they, or their answers, may be
 * lost: they are sent again (a session takes the same request once), or the module is asked `{ConnId, held, Sid, Rid}`.
 * Then the session answers again what it had answered, says nothing where it holds the request, and 503 where it never
 * came. So nothing is lost, clients hear of a short break nothing at all, and their answers stay in order.
 *
 * Where its node is surely no more, or is none that is known here, any other one in service gets it (cluster.ts): sessions move,
 * and nodes know where they are. Where there is none, and the node stays away for longer than its sessions can live without a
 * sign of their clients, who asks for them hears `item-not-found`, and logs in elsewhere.
 *
 * A node that is behind (`ClusterNode.takesRequests`) or said that it is full gets no new sessions; the requests of those
 * it has wait, too, and go in order as it catches up.
 *
 * A WebSocket goes to a node as a new session does, and is never sent twice: its frames then pass between its client and its
 * session, until one of them, or the way between, is gone.
 *
 * Where each of these decisions is: one exchange's life in exchange.ts, carried out by exchanges.ts and node-events.ts; a WebSocket's in socket.ts,
 * carried out by sockets.ts; whether a node is in service in standing.ts, carried out by cluster-node.ts; which node gets a
 * request in cluster.ts.
 */

import type { Logger } from 'pino';
import { decodeVersioned } from '../etf/decode.js';
import { Atom, Pid, type Term, Tuple } from '../etf/terms.js';
import type { PidOwner } from '../node/processes.js';
import type { Counters } from '../observe/counters.js';
import { AnswerReader } from './answer-reader.js';
import { type Answer, readAnswer } from './answers.js';
import { Cluster, type ClusterOptions } from './cluster.js';
import type { ClusterNode } from './cluster-node.js';
import { isAtom } from './contract.js';
import { Door, type DoorOptions } from './door.js';
import { DroppedAnswers } from './dropped-answers.js';
import type { DeadlineLimits } from './exchange-deadlines.js';
import { Exchanges } from './exchanges.js';
import type { ClientInfo } from './meta.js';
import { NodeEvents } from './node-events.js';
import { OpenExchanges } from './open-exchanges.js';
import { BodyBudget } from './outbox.js';
import type { ErlangNode, HttpExchange, HttpRequest } from './ports.js';
import * as refusals from './refusals.js';
import { Sender } from './sender.js';
import { peek } from './sid.js';
import { SocketInbox } from './socket-inbox.js';
import { type SocketLimits, Sockets } from './sockets.js';

export interface GatewayOptions extends ClusterOptions, DeadlineLimits, SocketLimits, DoorOptions {
  /** Bytes of all requests that wait for their node or are on their way to it, each with some for itself. */
  readonly maxWaiting: number;
}

export class Gateway implements PidOwner {
  readonly cluster: Cluster;
  readonly counters: Counters;
  readonly sockets: Sockets;
  readonly door: Door;
  readonly #node: ErlangNode;
  readonly #open: OpenExchanges;
  readonly #exchanges: Exchanges;
  readonly #nodeEvents: NodeEvents;
  readonly #answers: AnswerReader;
  readonly #socketInbox: SocketInbox;
  readonly #dropped: DroppedAnswers;
  /** One for all deadlines. */
  readonly #clock = { now: 0 };
  #isStopping = false;

  constructor(node: ErlangNode, options: GatewayOptions, counters: Counters, log: Logger) {
    this.#node = node;
    this.counters = counters;
    this.door = new Door(options, this.#clock, log);
    const sender = new Sender(node, counters.clock);
    this.#open = new OpenExchanges(node, sender, options, counters, this.#clock);
    this.#exchanges = new Exchanges(this.#open);
    this.#nodeEvents = new NodeEvents(this.#open);
    const nodes = {
      forSession: (client: ClientInfo) => this.#nodeForSession({ client }),
      meet: (name: string) => this.cluster.meet(name),
    };
    this.sockets = new Sockets(node, sender, nodes, options, counters);
    this.#answers = new AnswerReader(node.name, node.creation);
    this.#dropped = new DroppedAnswers(counters, log);
    this.#socketInbox = new SocketInbox(node, this.sockets, this.#dropped);
    const budget = new BodyBudget(options.maxWaiting);
    this.cluster = new Cluster(node, options, budget, this.#clock, log, {
      inService: (peer) => this.#nodeEvents.inService(peer),
      outOfService: (peer, kind) => {
        this.#nodeEvents.outOfService(peer, kind);
        this.sockets.outOfService(peer);
      },
      connectionLost: (peer) => {
        this.#nodeEvents.connectionLost(peer);
        this.sockets.connectionLost(peer);
      },
      elsewhere: (peer, isLost) =>
        this.#nodeEvents.elsewhere(peer, isLost, (sid) => this.cluster.ofSession(sid)),
      passedInVain: (peer) => this.#nodeEvents.passedInVain(peer),
      isUsed: (peer) => this.#open.isUsed(peer) || this.sockets.isUsed(peer),
    });
    node.on('unusable', (peer, error) => this.#dropped.malformed(error, peer));
    node.adoptPids(this);
  }

  get openExchanges(): number {
    return this.#open.size;
  }

  /** The slot to give to `closed` and `release`, or 0 where the request is already answered. */
  request(http: HttpExchange, request: HttpRequest): number {
    const { body } = request;
    this.counters.requests += 1;
    this.counters.bytesIn += body.length;
    if (this.#isStopping) return this.#refuse(http, refusals.STOPPING);
    const { sid, rid } = peek(body);
    if (sid === undefined) {
      const node = this.#nodeForSession(request);
      if ('body' in node) return this.#refuse(http, node);
      return this.#exchanges.begin(http, node, undefined, rid, request);
    }
    const node = this.cluster.ofSession(sid);
    if (node === undefined || (node.isGone && sid.startsWith(node.tag))) {
      return this.#refuse(http, refusals.UNKNOWN_SID);
    }
    return this.#exchanges.begin(http, node, sid, rid, request);
  }

  /** The client of this exchange went away. */
  closed(slot: number): void {
    this.#exchanges.clientLeft(slot);
  }

  /** The client of this exchange is to have its answer now, if it only waits for news: it shall go on elsewhere. */
  release(slot: number): void {
    this.#exchanges.release(slot);
  }

  /** A message to one of our ConnIds. */
  deliver(to: Pid, bytes: Buffer, start: number, end: number, peer: string): void {
    if (this.sockets.owns(to.id)) {
      if (this.#socketInbox.deliver(bytes, start, end, peer)) return;
    } else {
      const answer = this.#answers.read(bytes, start, end);
      if (answer !== undefined && !this.sockets.owns(answer.connId.id)) {
        this.#settle(answer.connId, answer, peer);
        return;
      }
    }
    const term = this.#decode(bytes.subarray(start, end), peer);
    if (term !== undefined) this.answer(term, to, peer);
  }

  /** @param to the ConnId the term was sent to; `undefined` where it was sent to our name */
  answer(term: Term, to: Pid | undefined, peer: string): void {
    const connId = namedIn(term) ?? to;
    if (connId === undefined || connId.node !== this.#node.name) {
      this.#dropped.unknownShape(term, peer);
    } else if (connId.creation !== this.#node.creation) {
      this.#dropped.stale(peer);
    } else if (this.sockets.owns(connId.id)) {
      this.#socketInbox.answer(connId, term, peer);
    } else {
      this.#hear(connId, term, peer);
    }
  }

  /** @param connId of this life of the gateway */
  isAlive(connId: Pid): boolean {
    return this.#open.find(connId) !== undefined || this.sockets.find(connId.id, connId.serial) !== 0;
  }

  /** The node's module came to that mark. */
  taken(node: ClusterNode, place: number): void {
    node.outbox.taken(place, this.counters.clock);
    this.#nodeEvents.sendWaiting(node);
  }

  /** These sessions were killed, or were on a node that is no more, and will answer nothing. */
  gone(sids: ReadonlySet<string>): void {
    this.#exchanges.killed(sids);
  }

  /** Once a second. @param now seconds, never running backwards */
  tick(now: number): void {
    this.#clock.now = now;
    this.#exchanges.tick();
    this.#nodeEvents.tick(this.cluster.nodes);
    this.cluster.tick();
  }

  /** Ends every exchange with 503, and every WebSocket with 1012. */
  stop(): void {
    this.#isStopping = true;
    this.cluster.stop();
    this.#exchanges.stop();
    this.sockets.stop();
  }

  #nodeForSession(request: { readonly client: ClientInfo }): ClusterNode | refusals.Refusal {
    if (this.#isStopping) return refusals.STOPPING;
    return this.door.refusalOf(request) ?? this.cluster.forSession() ?? this.#whyNoSession();
  }

  #whyNoSession(): refusals.Refusal {
    if (this.cluster.isFull) return refusals.FULL;
    return this.cluster.inService > 0 ? refusals.BUSY : refusals.NO_NODE;
  }

  #refuse(http: HttpExchange, refusal: refusals.Refusal): 0 {
    refusals.refuse(http, this.counters, refusal);
    return 0;
  }

  /** `undefined`: no term that anyone could have meant as a message to us; it is counted. */
  #decode(payload: Buffer, peer: string): Term | undefined {
    try {
      return decodeVersioned(payload);
    } catch (error) {
      this.#dropped.malformed(error, peer);
      return undefined;
    }
  }

  #hear(connId: Pid, term: Term, peer: string): void {
    const answer = readAnswer(term);
    if (answer !== undefined) {
      this.#settle(connId, answer, peer);
    } else if (isSession(term, peer)) {
      if (!this.#exchanges.session(connId, this.cluster.find(peer))) this.#dropped.stale(peer);
    } else {
      this.#hearNoWay(connId, term, peer);
    }
  }

  #hearNoWay(connId: Pid, term: Term, peer: string): void {
    const noWay = readNoWay(term);
    if (noWay === undefined) {
      this.#dropped.unknownShape(term, peer);
      return;
    }
    const to = this.cluster.meet(noWay.node);
    const isLost = this.cluster.isLost(to) || to.isGone;
    if (!this.#exchanges.noWay(connId, to, isLost, noWay.body)) this.#dropped.stale(peer);
  }

  #settle(connId: Pid, answer: Answer, peer: string): void {
    if (!this.#exchanges.answer(connId, answer)) this.#dropped.stale(peer);
  }
}

/** The ConnId that a term begins with. */
function namedIn(term: Term): Pid | undefined {
  const first = term instanceof Tuple ? term.elements[0] : undefined;
  return first instanceof Pid ? first : undefined;
}

/** `{ConnId, session, Pid}`, of a process there. */
function isSession(term: Term, peer: string): boolean {
  const [, word, pid] = term instanceof Tuple && term.elements.length === 3 ? term.elements : [];
  return word !== undefined && isAtom(word, 'session') && pid instanceof Pid && pid.node === peer;
}

/** `{ConnId, elsewhere, Node, Body}`: the session is there. */
function readNoWay(term: Term): { readonly node: string; readonly body: Buffer } | undefined {
  const [, word, node, body] = term instanceof Tuple && term.elements.length === 4 ? term.elements : [];
  if (!isAtom(word, 'elsewhere') || !(node instanceof Atom) || !(body instanceof Uint8Array))
    return undefined;
  return { node: node.name, body: Buffer.from(body.buffer, body.byteOffset, body.byteLength) };
}
