/** What comet asks of its neighbours, and offers them: pages above, the hidden node below. docs/comet.md has the contract on the wire. */

import type { HiddenNode } from '../node/hidden-node.js';

/** The hidden node. */
export type CometNode = Pick<
  HiddenNode,
  'name' | 'creation' | 'on' | 'register' | 'sendToName' | 'call' | 'monitor' | 'keepConnected' | 'letGo'
>;

/** How events are written for a page: bytes that are ready for its connection, but for those of `poll`, each a member of a JSON list. */
export type Form = 'sse' | 'chunked' | 'raw' | 'socket' | 'poll';

/** One page's connection. */
export interface Page {
  readonly form: Form;
  /** @param bytes whole events; many pages are given the same: never to be changed */
  write(bytes: Buffer): void;
}

/** What a page listens to, from `listen` to `leave`. */
export interface Listening {
  /** The page's place again: what keeps its connection alive. Written only where it has begun. */
  beat(): void;
  /** Nothing is written any more. */
  leave(): void;
}

/** Who serves pages: comet, as the HTTP front sees it. */
export interface CometService {
  /**
   * The page gets what comes for these ids, behind its place: at once where all is known, within a second else.
   * @param ids 1 or more, each once, as the URL has them, decoded
   * @param place what the last event that the page had was numbered with; `undefined` or unreadable: it is new
   */
  listen(page: Page, ids: readonly string[], place: string | undefined): Listening;
}

/** One message for some ids, from outside of Erlang. */
export interface Publication {
  readonly ids: readonly string[];
  readonly body: Buffer;
  readonly meta: PublicationMeta;
}

export interface PublicationMeta {
  readonly event?: string;
  readonly id?: string;
  readonly prev_id?: string;
  /** By the name of the format (GRIP): `http-stream`, `http-response`, `ws-message`. */
  readonly formats?: Readonly<Record<string, string>>;
}

export interface CometDesk {
  /**
   * Resolves when a router, or this gateway's own ring, has them all, in their order.
   * @throws MegaphoneError COMET_OFF, COMET_NO_ROUTER, NODE_…
   */
  publish(publications: readonly Publication[]): Promise<void>;
}
