/**
 * The WebSockets: carries out what their life (socket.ts) asks for when something happens to one, or to its node.
 *
 * Each has a slot (slot-table.ts) in a table of its own, and a ConnId as an exchange has, whose id lies behind those of all
 * exchanges: so an id tells which of the two a ConnId means.
 */

import { atom, Pid } from '../etf/terms.js';
import type { Counters } from '../observe/counters.js';
import { Paced } from '../paced.js';
import type { Answer } from './answers.js';
import { type ClusterNode, HERD_SECONDS, type NodeListener } from './cluster-node.js';
import { FrameWindow } from './frame-window.js';
import type { ClientInfo } from './meta.js';
import type { ClientSocket, ErlangNode, SocketService } from './ports.js';
import * as refusals from './refusals.js';
import type { Sender } from './sender.js';
import { SlotTable } from './slot-table.js';
import { SOCKET_LIFE, type Socket, type SocketEvent, type SocketStep } from './socket.js';
import * as endings from './socket-endings.js';
import { type Progress, SocketSender, sessionOf } from './socket-sender.js';

export interface SocketLimits {
  /** Ids up to this one are those of exchanges. */
  readonly maxExchanges: number;
  readonly maxSockets: number;
}

/** What sockets ask of the cluster. */
export interface SocketNodes {
  /** Where a new one goes, or why it goes nowhere. */
  forSession(client: ClientInfo): ClusterNode | refusals.Refusal;
  /** The node that a session moved to. */
  meet(name: string): ClusterNode;
}

const NORMAL = atom('normal');

export class Sockets implements SocketService, Pick<NodeListener, 'outOfService' | 'connectionLost'> {
  readonly #node: ErlangNode;
  readonly #nodes: SocketNodes;
  readonly #counters: Counters;
  /** The id of a ConnId is this more than the slot. */
  readonly #offset: number;
  readonly #table: SlotTable<Socket>;
  readonly #sender: SocketSender;
  readonly #lost = new Paced<number>((slot) => this.#end(slot, 'turn', endings.NODE_LOST), HERD_SECONDS);

  constructor(
    node: ErlangNode,
    sender: Sender,
    nodes: SocketNodes,
    limits: SocketLimits,
    counters: Counters,
  ) {
    this.#node = node;
    this.#nodes = nodes;
    this.#counters = counters;
    this.#offset = limits.maxExchanges;
    this.#table = new SlotTable(limits.maxSockets);
    this.#sender = new SocketSender(node, sender);
  }

  /** How many there are, with those that are asked for. */
  get size(): number {
    return this.#table.size;
  }

  /** Whether a ConnId with this id is a socket's. */
  owns(id: number): boolean {
    return id > this.#offset;
  }

  /** The slot of the one that a ConnId means, 0 where that is over. */
  find(id: number, serial: number): number {
    const slot = id - this.#offset;
    return this.#table.find(slot, serial) === undefined ? 0 : slot;
  }

  open(client: ClientSocket, info: ClientInfo): number {
    const node = this.#nodes.forSession(info);
    if ('body' in node) return this.#refuseNew(client, node);
    const isPlain = node.kind === 'plain';
    const window = isPlain ? undefined : new FrameWindow();
    const state = isPlain ? 'plain' : 'asked';
    const since = this.#counters.clock.now;
    const socket: Socket = { client, node, since, state, id: 0, serial: 0, creation: 0, window };
    const slot = this.#table.add(socket);
    if (slot === 0) return this.#refuseNew(client, refusals.OVERLOAD);
    if (!this.#sender.open(this.#connId(slot), socket, info)) {
      this.#end(slot, 'noRoom', endings.FULL);
      return 0;
    }
    node.room.countSession();
    // Its slot is known then to whoever asked.
    if (isPlain) queueMicrotask(() => this.#table.get(slot) === socket && this.#accept(socket));
    return slot;
  }

  frame(slot: number, text: Buffer): boolean {
    const socket = this.#table.get(slot);
    if (socket === undefined || this.#step(slot, socket, 'clientFrame').effect !== 'pass') return false;
    if (!this.#sender.frame(this.#offset + slot, this.#table.generation(slot), socket, text)) {
      this.#end(slot, 'linkFull', endings.FULL);
      return false;
    }
    this.#counters.websocket.frames_in += 1;
    this.#counters.websocket.bytes_in += text.length;
    const { window } = socket;
    window?.sent(text.length);
    return window?.isOpen ?? true;
  }

  written(slot: number, number: number): void {
    this.#progress(slot, 'written', number);
  }

  read(slot: number, number: number): void {
    this.#progress(slot, 'read', number);
  }

  closed(slot: number, code: number): void {
    const socket = this.#table.get(slot);
    if (socket === undefined) return;
    if (socket.state !== 'asked') this.#counters.countClose(code);
    this.#step(slot, socket, 'clientLeft', code);
  }

  /**
   * The upgrade is granted, or another process takes the session's place. `false`, here and below: it is of no use.
   * @param pid of the node that says so
   */
  session(slot: number, pid: Pid): boolean {
    const socket = this.#table.get(slot);
    if (socket === undefined) return false;
    const before = sessionOf(socket);
    const { effect } = this.#step(slot, socket, pid.node === socket.node.name ? 'session' : 'elsewhere');
    if (effect === 'drop') return false;
    const hadSession = effect === 'adopt' && socket.creation !== 0;
    if (hadSession && !isSame(before, pid)) this.#sender.moved(this.#connId(slot), before);
    if (pid.node !== socket.node.name) socket.node = this.#nodes.meet(pid.node);
    socket.id = pid.id | 0;
    socket.serial = pid.serial | 0;
    socket.creation = pid.creation | 0;
    if (effect === 'accept') this.#accept(socket);
    return true;
  }

  /** Instead: an answer of HTTP. */
  answer(slot: number, { status, headers, body }: Answer): boolean {
    const socket = this.#table.get(slot);
    if (socket === undefined || this.#step(slot, socket, 'answer').effect !== 'refuse') return false;
    this.#counters.countAnswer(status);
    socket.client.refuse(status, headers, body);
    return true;
  }

  /** @param text is UTF-8 */
  serverFrame(slot: number, text: Buffer, number: number): boolean {
    const socket = this.#table.get(slot);
    if (socket === undefined || this.#step(slot, socket, 'serverFrame').effect !== 'send') return false;
    this.#counters.websocket.frames_out += 1;
    this.#counters.websocket.bytes_out += text.length;
    socket.client.send(text, number);
    return true;
  }

  taken(slot: number, count: number): boolean {
    const socket = this.#table.get(slot);
    if (socket === undefined || this.#step(slot, socket, 'taken').effect !== 'take') return false;
    if (socket.window?.taken(count)) socket.client.resume();
    return true;
  }

  notText(slot: number): boolean {
    return this.#end(slot, 'notText', endings.NOT_TEXT);
  }

  serverClose(slot: number, code: number, reason: Buffer): boolean {
    return this.#end(slot, 'serverClose', endings.byServer(code, reason));
  }

  /** Whether one is open there. */
  isUsed(node: ClusterNode): boolean {
    let isUsed = false;
    this.#table.forEach((socket) => {
      isUsed ||= socket.node === node;
    });
    return isUsed;
  }

  outOfService(node: ClusterNode): void {
    this.#lose(node, 'moduleDown');
  }

  connectionLost(node: ClusterNode): void {
    this.#lose(node, 'connectionDown');
  }

  /** Ends those that are left. */
  stop(): void {
    this.#table.forEach((_, slot) => {
      this.#end(slot, 'stopping', endings.STOPPING);
    });
    // Behind that, for to tell a node may have been the end of its connection.
    this.#lost.stop();
  }

  /** Those of a node that are not at their end by this are closed in their turn. */
  #lose(node: ClusterNode, event: SocketEvent): void {
    const lost: number[] = [];
    this.#table.forEach((socket, slot) => {
      if (socket.node !== node || this.#end(slot, event, endings.NODE_LOST)) return;
      if (socket.state === 'lost') lost.push(slot);
    });
    void this.#lost.add(lost);
  }

  #progress(slot: number, how: Progress, number: number): void {
    const socket = this.#table.get(slot);
    if (socket === undefined || this.#step(slot, socket, 'progress').effect !== 'pass') return;
    if (this.#sender.progress(this.#connId(slot), socket, how, number)) return;
    this.#end(slot, 'linkFull', endings.FULL);
  }

  /** The one place where a socket's state changes. @param code what its server hears where it is told of the end */
  #step(slot: number, socket: Socket, event: SocketEvent, code = 0): SocketStep {
    const step = SOCKET_LIFE[event][socket.state];
    if (step.effect === 'tell' || step.effect === 'end')
      this.#sender.closed(this.#connId(slot), socket, code);
    if (step.to === 'over') this.#free(slot);
    else if (step.to !== 'same') socket.state = step.to;
    return step;
  }

  /** Where this event is its end, its client hears of it. Returns whether it is. */
  #end(slot: number, event: SocketEvent, { refusal, code, reason }: endings.Ending): boolean {
    const socket = this.#table.get(slot);
    if (socket === undefined) return false;
    const { to, effect } = this.#step(slot, socket, event, code);
    if (to !== 'over') return false;
    if (effect === 'refuse') {
      refusals.refuseSocket(socket.client, this.#counters, refusal);
    } else {
      this.#counters.countClose(code);
      socket.client.close(code, reason);
    }
    return true;
  }

  #accept(socket: Socket): void {
    this.#counters.websocket.opened += 1;
    this.#counters.latency.websocket.observe(this.#counters.clock.since(socket.since));
    socket.client.accept();
  }

  #refuseNew(client: ClientSocket, refusal: refusals.Refusal): 0 {
    refusals.refuseSocket(client, this.#counters, refusal);
    return 0;
  }

  #connId(slot: number): Pid {
    const { name, creation } = this.#node;
    return new Pid(name, this.#offset + slot, this.#table.generation(slot), creation);
  }

  /** Frees the slot; from here on its ConnId is stale, and whoever monitors it hears so. */
  #free(slot: number): void {
    const connId = this.#connId(slot);
    this.#table.remove(slot);
    this.#node.exited(connId, NORMAL);
  }
}

const isSame = (a: Pid, b: Pid): boolean =>
  a.node === b.node && a.id === b.id && a.serial === b.serial && a.creation === b.creation;
