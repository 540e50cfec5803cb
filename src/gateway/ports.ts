/** What this layer asks of its neighbours: the hidden node below, the HTTP front above, and each other. */

import type { HiddenNode } from '../node/hidden-node.js';
import type { Header } from './answers.js';
import type { ClientInfo } from './meta.js';

/** The hidden node. */
export type ErlangNode = Pick<
  HiddenNode,
  | 'name'
  | 'creation'
  | 'on'
  | 'adoptPids'
  | 'exited'
  | 'sendToName'
  | 'sendToPid'
  | 'tell'
  | 'tellsEnds'
  | 'keepConnected'
  | 'letGo'
  | 'monitor'
  | 'rpc'
>;

/** A request, as it came in over HTTP. */
export interface HttpRequest {
  readonly body: Buffer;
  /** Who sent it: worked out when it is read, as ejabberd is told with the first request of a session only. */
  readonly client: ClientInfo;
}

/** Where its answer goes. */
export interface HttpExchange {
  /** Called once, unless the front said `closed` before. */
  answer(status: number, headers: readonly Header[], body: Buffer): void;
}

/** A client's WebSocket. */
export interface ClientSocket {
  /** The upgrade is granted. Called once, if `refuse` is not. */
  accept(): void;
  /** It is not, and this is said instead. Nothing follows. */
  refuse(status: number, headers: readonly Header[], body: Buffer): void;
  /**
   * One text frame.
   * @param text a view of far more bytes that were received: to be written or copied at once
   * @param number where it is not 0, `read` is to be called with it when the client provably has this frame; and with some of
   * these numbers `written` before, when the kernel took the frame
   */
  send(text: Buffer, number: number): void;
  /** Frames may come again, after `frame` returned `false`. */
  resume(): void;
  /** The last frame. Nothing follows. */
  close(code: number, reason: Buffer): void;
}

/** Who serves WebSockets: the gateway, as the HTTP front sees it. */
export interface SocketService {
  /** A handle for the other calls, or 0 where it is refused already. */
  open(socket: ClientSocket, client: ClientInfo): number;
  /** A whole text message of the client, not to be changed afterwards. `false`: no more until `resume`. */
  frame(handle: number, text: Buffer): boolean;
  /** The kernel took what was sent with this number, and all before. Told where there is enough of it. */
  written(handle: number, number: number): void;
  /** The client has what was sent with this number, and all before. */
  read(handle: number, number: number): void;
  /** The socket is gone, or about to be. Nothing follows. @param code RFC 6455 §7.4 */
  closed(handle: number, code: number): void;
}

/** Coarse: set once a second. */
export interface Clock {
  /** Seconds, never running backwards. */
  readonly now: number;
}
