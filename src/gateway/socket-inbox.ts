/** What nodes send to WebSockets, read and given to the one it is meant for. */

import { isUtf8 } from 'node:buffer';
import type { Pid, Term } from '../etf/terms.js';
import { ABNORMAL } from '../websocket/close-codes.js';
import type { DroppedAnswers } from './dropped-answers.js';
import type { ErlangNode } from './ports.js';
import { readSocketMessage, type SocketMessage } from './socket-messages.js';
import { SocketReader } from './socket-reader.js';
import { closedTerm } from './socket-sender.js';
import type { Sockets } from './sockets.js';

export class SocketInbox {
  readonly #node: ErlangNode;
  readonly #sockets: Sockets;
  readonly #dropped: DroppedAnswers;
  readonly #reader: SocketReader;

  constructor(node: ErlangNode, sockets: Sockets, dropped: DroppedAnswers) {
    this.#node = node;
    this.#sockets = sockets;
    this.#dropped = dropped;
    this.#reader = new SocketReader(node.name, node.creation);
  }

  /** The short way; `false`: it is to be decoded. */
  deliver(bytes: Buffer, start: number, end: number, peer: string): boolean {
    const reader = this.#reader;
    if (!reader.read(bytes, start, end) || !this.#sockets.owns(reader.id)) return false;
    const slot = this.#sockets.find(reader.id, reader.serial);
    if (reader.text !== undefined) this.#frame(slot, reader.text, reader.number, peer);
    else if (!this.#sockets.taken(slot, reader.number)) this.#dropped.stale(peer);
    return true;
  }

  /** @param connId of this life of the gateway */
  answer(connId: Pid, term: Term, peer: string): void {
    const message = readSocketMessage(term);
    // A peer has no say about other nodes' processes, and there may be no way to them.
    if (message === undefined || (message.kind === 'session' && message.pid.node !== peer)) {
      this.#dropped.unknownShape(term, peer);
      return;
    }
    const slot = this.#sockets.find(connId.id, connId.serial);
    if (message.kind === 'frame') this.#frame(slot, message.text, message.number, peer);
    else if (!this.#hear(slot, connId, message)) this.#dropped.stale(peer);
  }

  #frame(slot: number, text: Buffer, number: number, peer: string): void {
    if (isUtf8(text)) {
      if (!this.#sockets.serverFrame(slot, text, number)) this.#dropped.stale(peer);
      return;
    }
    this.#dropped.notText(peer);
    this.#sockets.notText(slot);
  }

  /** `false`: it was of no use. */
  #hear(slot: number, connId: Pid, message: Exclude<SocketMessage, { readonly kind: 'frame' }>): boolean {
    switch (message.kind) {
      case 'session':
        if (this.#sockets.session(slot, message.pid)) return true;
        // Its client left meanwhile.
        this.#node.tell(message.pid, closedTerm(connId, ABNORMAL));
        return false;
      case 'taken':
        return this.#sockets.taken(slot, message.count);
      case 'close':
        return this.#sockets.serverClose(slot, message.code, message.reason);
      case 'answer':
        return this.#sockets.answer(slot, message.answer);
    }
  }
}
