/**
 * The messages about WebSockets to `{mod_megaphone, Node}` and to sessions:
 *
 *   {ConnId, open, Meta}      a client asks for an upgrade
 *   {ConnId, Frame}           a text frame of the client
 *   {ConnId, written, Number} the kernel took what was sent with this number, and all before it
 *   {ConnId, read, Number}    the client has it, and all before it
 *   {ConnId, closed, Code}    the socket is gone
 *   {ConnId, moved}           another process has the session's place
 *
 * The first goes to the name, the others to the session's pid, or where there is none (kind `plain`) to the name as well. The
 * second is nearly all there is, and is written like a request of BOSH: the same bytes, of which only the numbers are patched.
 */

import { encodeVersioned } from '../etf/encode.js';
import { atom, Opaque, Pid, tuple } from '../etf/terms.js';
import { MODULE } from './contract.js';
import { type ClientInfo, encodeMeta } from './meta.js';
import type { ErlangNode } from './ports.js';
import { RequestEncoder } from './requests.js';
import type { Sender } from './sender.js';
import type { Socket } from './socket.js';

const OPEN = atom('open');
const PROGRESS = { written: atom('written'), read: atom('read') } as const;
const CLOSED = atom('closed');
const MOVED = atom('moved');

/** How far a frame of the server came. */
export type Progress = keyof typeof PROGRESS;

export class SocketSender {
  readonly #node: ErlangNode;
  readonly #sender: Sender;
  readonly #encoder: RequestEncoder;

  /** @param sender counts what is sent to the name */
  constructor(node: ErlangNode, sender: Sender) {
    this.#node = node;
    this.#sender = sender;
    this.#encoder = new RequestEncoder(node.name, node.creation);
  }

  /** `false`, here and below: nothing was sent, for the node does not read what waits for it already. */
  open(connId: Pid, { node }: Socket, client: ClientInfo): boolean {
    const meta = new Opaque(encodeMeta(client, 'websocket'));
    if (!this.#node.sendToName(node.name, MODULE, encodeVersioned(tuple(connId, OPEN, meta)))) return false;
    node.outbox.sentOther(connId.id);
    this.#sender.mark(node, false);
    return true;
  }

  frame(id: number, serial: number, socket: Socket, text: Buffer): boolean {
    return this.#send(socket, this.#encoder.requestHead(id, serial, text.length, false), text);
  }

  progress(connId: Pid, socket: Socket, how: Progress, number: number): boolean {
    return this.#send(socket, encodeVersioned(tuple(connId, PROGRESS[how], number)));
  }

  /** Never refused: a session that does not hear it would wait for a client that is gone. */
  closed(connId: Pid, socket: Socket, code: number): void {
    const term = closedTerm(connId, code);
    if (socket.state === 'plain') this.#node.sendToName(socket.node.name, MODULE, term);
    else this.#node.tell(sessionOf(socket), term);
  }

  /** Never refused, either: what came before it is passed on when it is there. */
  moved(connId: Pid, session: Pid): void {
    this.#node.tell(session, encodeVersioned(tuple(connId, MOVED)));
  }

  #send(socket: Socket, head: Buffer, body?: Buffer): boolean {
    const { name } = socket.node;
    return socket.state === 'plain'
      ? this.#node.sendToName(name, MODULE, head, body)
      : this.#node.sendToPid(name, socket, head, body);
  }
}

export const closedTerm = (connId: Pid, code: number): Buffer => encodeVersioned(tuple(connId, CLOSED, code));

export const sessionOf = ({ node, id, serial, creation }: Socket): Pid =>
  new Pid(node.name, id >>> 0, serial >>> 0, creation >>> 0);
