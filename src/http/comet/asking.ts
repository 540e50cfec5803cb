/**
 * A process of Erlang says who may listen. It is sent `{ConnId, open, Meta}`, and each connection that asks has a ConnId as long as it lives, which
 * can be monitored:
 *
 *   {ConnId, listen, [Id]}          grants these ids, whatever was asked for
 *   {ConnId, Status, Body}          refuses; with headers `{ConnId, Status, Headers, Body}`
 *   {ConnId, close, Code, Reason}   ends one that listens
 *
 *   state      listen     none      answer    close      nonsense  gone      left
 *   asked      listening  over+403  over+401  ·          over+502  over+503  over
 *   listening  ·          ·         ·         over+4001  ·         ·         over
 *
 * Behind a plus is what the page hears; none: it may listen to no id; nonsense: no term of these; gone: the process, or its node. Without an answer it is the page that gives up.
 * A ConnId's id lies behind those of all exchanges and WebSockets of the gateway.
 */

import type { Logger } from 'pino';
import { idOfTerm } from '../../comet/ids.js';
import { decodeVersioned } from '../../etf/decode.js';
import { encodeVersioned } from '../../etf/encode.js';
import { encodePlain } from '../../etf/plain.js';
import { atom, Opaque, Pid, type Term, Tuple, tuple } from '../../etf/terms.js';
import type { Answer } from '../../gateway/answers.js';
import { isAtom } from '../../gateway/contract.js';
import { DroppedAnswers } from '../../gateway/dropped-answers.js';
import { SlotTable } from '../../gateway/slot-table.js';
import { readSocketMessage } from '../../gateway/socket-messages.js';
import type { HiddenNode } from '../../node/hidden-node.js';
import type { PidOwner } from '../../node/processes.js';
import type { Counters } from '../../observe/counters.js';
import { TEXT, text } from '../replies.js';
import type { Reply } from '../response.js';
import { onlyAllowed } from '../response-headers.js';
import type { Admission, Visitor } from './admission.js';
import type { Asked } from './asked.js';
import { Doors } from './doors.js';

export type AskNode = Pick<HiddenNode, 'name' | 'creation' | 'on' | 'monitor' | 'sendToName' | 'exited'>;

export interface AskOptions {
  /** Under which the process is registered. */
  readonly name: string;
  /** Where, in this order; none: at any connected node. */
  readonly nodes: readonly string[];
  /** Ids of pids up to this one are others'. */
  readonly offset: number;
  readonly capacity: number;
  /** Ids that one connection may listen to. */
  readonly maxIds: number;
}

interface Question {
  readonly visitor: Visitor;
  /** Where it was asked; `undefined`: it listens. */
  node: string | undefined;
}

const OPEN = atom('open');
const NORMAL = atom('normal');

const NOTHING_GRANTED: Reply = { ...text(403, 'You may not listen to this.'), reason: 'not_admitted' };
const NONSENSE: Reply = {
  ...text(502, 'Whoever says who may listen gave no answer that makes sense.'),
  reason: 'not_admitted',
};
const NOBODY: Reply = {
  ...text(503, 'Nobody is there to say who may listen.', ['retry-after', '2']),
  reason: 'no_node',
};
const FULL: Reply = {
  ...text(503, 'Too many are asking already.', ['retry-after', '2']),
  reason: 'overload',
};

export class Asking implements Admission, PidOwner {
  readonly #node: AskNode;
  readonly #options: AskOptions;
  readonly #counters: Counters;
  readonly #dropped: DroppedAnswers;
  readonly #doors: Doors;
  readonly #table: SlotTable<Question>;

  constructor(node: AskNode, options: AskOptions, counters: Counters, log: Logger) {
    this.#node = node;
    this.#options = options;
    this.#counters = counters;
    this.#dropped = new DroppedAnswers(counters, log);
    this.#table = new SlotTable(options.capacity);
    this.#doors = new Doors(node, options.name, options.nodes, (peer) => this.#gone(peer));
  }

  ask(visitor: Visitor, asked: Asked): number {
    const node = this.#doors.first;
    if (node === undefined) return refuseLater(visitor, NOBODY);
    const slot = this.#table.add({ visitor, node });
    if (slot === 0) return refuseLater(visitor, FULL);
    const question = encodeVersioned(tuple(this.#connId(slot), OPEN, new Opaque(metaOf(asked))));
    if (this.#node.sendToName(node, this.#options.name, question)) return slot;
    this.#table.remove(slot);
    return refuseLater(visitor, FULL);
  }

  left(slot: number): void {
    if (this.#table.get(slot) === undefined) return;
    const connId = this.#connId(slot);
    this.#table.remove(slot);
    this.#node.exited(connId, NORMAL);
  }

  deliver(to: Pid, bytes: Buffer, start: number, end: number, peer: string): void {
    let term: Term;
    try {
      term = decodeVersioned(bytes.subarray(start, end));
    } catch (error) {
      this.#dropped.malformed(error, peer);
      return;
    }
    const asking = this.#find(to);
    if (asking === undefined) this.#dropped.stale(peer);
    else if (!this.#hear(asking, term, peer)) {
      this.#dropped.unknownShape(term, peer);
      if (asking.node !== undefined) asking.visitor.refuse(NONSENSE);
    }
  }

  isAlive(pid: Pid): boolean {
    return this.#find(pid) !== undefined;
  }

  /** Once a second. */
  tick(now: number): void {
    this.#doors.tick(now);
  }

  /** All pids of this node: those of the gateway, and these. */
  beside(gateway: PidOwner): PidOwner {
    const ownerOf = ({ id }: Pid): PidOwner => (id > this.#options.offset ? this : gateway);
    return {
      deliver: (to, bytes, start, end, peer) => ownerOf(to).deliver(to, bytes, start, end, peer),
      isAlive: (pid) => ownerOf(pid).isAlive(pid),
    };
  }

  /** `false`: it is none of the terms above. */
  #hear(asking: Question, term: Term, peer: string): boolean {
    const ids = readListen(term, this.#options.maxIds);
    if (ids !== undefined) return this.#admit(asking, ids, peer);
    const message = readSocketMessage(term);
    if (message?.kind === 'close') return this.#close(asking, message.code, message.reason, peer);
    if (message?.kind !== 'answer' || message.answer.status < 300) return false;
    if (asking.node === undefined) this.#dropped.stale(peer);
    else asking.visitor.refuse(refusalOf(message.answer, this.#counters));
    return true;
  }

  #admit(asking: Question, ids: readonly string[], peer: string): true {
    if (asking.node === undefined) this.#dropped.stale(peer);
    else if (ids.length === 0) asking.visitor.refuse(NOTHING_GRANTED);
    else {
      asking.node = undefined;
      asking.visitor.admit(ids, Number.POSITIVE_INFINITY);
    }
    return true;
  }

  #close(asking: Question, code: number, reason: Buffer, peer: string): true {
    if (asking.node === undefined) asking.visitor.dismiss(code, reason);
    else this.#dropped.stale(peer);
    return true;
  }

  /** Nobody is there any more who could answer what was asked. */
  #gone(node: string): void {
    this.#table.forEach((asking) => {
      if (asking.node === node) asking.visitor.refuse(NOBODY);
    });
  }

  #find({ id, serial }: Pid): Question | undefined {
    return this.#table.find(id - this.#options.offset, serial);
  }

  #connId(slot: number): Pid {
    const { name, creation } = this.#node;
    return new Pid(name, this.#options.offset + slot, this.#table.generation(slot), creation);
  }
}

/** `undefined`: it says something else, or grants what is no list of ids, or too many. */
function readListen(term: Term, maxIds: number): readonly string[] | undefined {
  const all = term instanceof Tuple ? term.elements : [];
  const [word, list] = all[0] instanceof Pid ? all.slice(1) : all;
  if (!isAtom(word, 'listen') || !Array.isArray(list)) return undefined;
  const ids = new Set((list as readonly Term[]).map(idOfTerm));
  if (ids.size > maxIds) return undefined;
  const known = [...ids].filter((id) => id !== undefined);
  return known.length === ids.size ? known : undefined;
}

/** Its words are text, unless it says something else. */
function refusalOf(answer: Answer, counters: Counters): Reply {
  const { status, headers, body } = onlyAllowed(answer, counters);
  const hasType = headers.some(([name]) => name.toLowerCase() === 'content-type');
  return { status, headers: hasType ? headers : [TEXT, ...headers], body, reason: 'not_admitted' };
}

/** Behind the call. */
function refuseLater(visitor: Visitor, why: Reply): 0 {
  queueMicrotask(() => visitor.refuse(why));
  return 0;
}

const metaOf = ({ from, ids, cookie, authorization, query }: Asked): Buffer => {
  const { ip, port, secure, path, origin, userAgent } = from.client;
  const who = { ip, port, secure, path, origin, user_agent: userAgent, transport: 'comet' };
  return encodePlain({ ...who, ids, cookie, authorization, query });
};
