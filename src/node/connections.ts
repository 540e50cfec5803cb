/** Which nodes we are connected to, and how it comes to that: dialled, accepted, lost, dialled again. */

import type { Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Admission, Secret } from '../distribution/handshake.js';
import type { Identity } from '../distribution/handshake-messages.js';
import type { Inbox } from '../distribution/inbox.js';
import { parseNodeName } from '../distribution/names.js';
import { MegaphoneError } from '../errors.js';
import { backoff, failuresAfter } from './backoff.js';
import { Connection, type ConnectionOptions, type Traffic } from './connection.js';
import { dial } from './dialer.js';
import type { Endpoint } from './epmd-client.js';
import type { Handshaken } from './handshake-carrier.js';
import type { TlsCredentials } from './tls-credentials.js';

export interface ConnectionsOptions extends ConnectionOptions {
  readonly self: Identity;
  readonly cookie: Secret;
  readonly tls: TlsCredentials | undefined;
  readonly epmdPort: number;
  readonly timeoutMs: number;
  /** Node names or `*@host`; `undefined` lets in every node that has the cookie. */
  readonly allow: readonly string[] | undefined;
  /** Who else may, from this machine. */
  readonly allowFromHere: ((peer: string) => boolean) | undefined;
}

export interface ConnectionsListener {
  up(node: string): void;
  down(node: string, error: MegaphoneError): void;
  unreachable(node: string, error: MegaphoneError): void;
}

interface Attempt {
  /** Aborted when a connection with that node is there, or when none is wanted any more. */
  readonly abort: AbortController;
  promise: Promise<void>;
}

/** With a node that is to be connected: of this connection and those before. */
export interface LinkTraffic extends Traffic {
  readonly isUp: boolean;
  /** How many connections there were. */
  readonly opened: number;
  /** The version of TLS; empty without. */
  readonly tls: string;
}

const NO_TRAFFIC: Traffic = { bytesIn: 0, bytesOut: 0, framesIn: 0, framesOut: 0, queuedBytes: 0 };

interface Kept {
  /** Who needs it. */
  readonly by: Set<string>;
  readonly endpoint: Endpoint | undefined;
  /** Of connections that ended. */
  past: Traffic;
  opened: number;
  failures: number;
  timer: NodeJS.Timeout | undefined;
  lastError: MegaphoneError | undefined;
}

export class Connections {
  readonly #options: ConnectionsOptions;
  readonly #inbox: Inbox;
  readonly #listener: ConnectionsListener;
  readonly #connections = new Map<string, Connection>();
  readonly #attempts = new Map<string, Attempt>();
  readonly #kept = new Map<string, Kept>();
  #stopped = false;

  constructor(options: ConnectionsOptions, inbox: Inbox, listener: ConnectionsListener) {
    this.#options = options;
    this.#inbox = inbox;
    this.#listener = listener;
  }

  get(node: string): Connection | undefined {
    return this.#connections.get(node);
  }

  all(): Iterable<Connection> {
    return this.#connections.values();
  }

  /** The nodes that should be connected and are not, with the last reason. */
  *missing(): Iterable<{ node: string; error: MegaphoneError | undefined }> {
    for (const [node, { lastError }] of this.#kept) {
      if (!this.#connections.has(node)) yield { node, error: lastError };
    }
  }

  /** The counts never fall while the node is to be connected. */
  traffic(node: string): LinkTraffic {
    const now = this.#connections.get(node);
    const { past = NO_TRAFFIC, opened = 0 } = this.#kept.get(node) ?? {};
    const traffic = sum(past, now?.traffic ?? NO_TRAFFIC);
    return { ...traffic, isUp: now !== undefined, opened, tls: now?.tls ?? '' };
  }

  /** Resolves when there is a connection, also when the peer was quicker to make it. */
  async connect(node: string, endpoint?: Endpoint): Promise<void> {
    parseNodeName(node);
    if (this.#connections.has(node)) return;
    if (this.#stopped) throw stopped(node);
    const running = this.#attempts.get(node);
    if (running !== undefined) return running.promise;
    const attempt: Attempt = { abort: new AbortController(), promise: Promise.resolve() };
    this.#attempts.set(node, attempt);
    attempt.promise = this.#dial(node, endpoint, attempt).finally(() => this.#forget(node, attempt));
    return attempt.promise;
  }

  /**
   * Connects, and again whenever the connection is lost, for ever. Said again it tries at once, where it waits to.
   * @param by who needs it
   */
  keepConnected(node: string, endpoint: Endpoint | undefined, by: string): void {
    parseNodeName(node);
    if (this.#stopped) return;
    const known = this.#kept.get(node);
    if (known !== undefined) {
      known.by.add(by);
      if (!this.#connections.has(node) && !this.#attempts.has(node)) this.#tryNow(node, known);
      return;
    }
    const kept: Kept = {
      by: new Set([by]),
      endpoint,
      past: NO_TRAFFIC,
      opened: Number(this.#connections.has(node)),
      failures: 0,
      timer: undefined,
      lastError: undefined,
    };
    this.#kept.set(node, kept);
    void this.#try(node, kept);
  }

  /** Once nobody needs it any more the connection that is there ends, and none is tried for. */
  letGo(node: string, by: string): void {
    const kept = this.#kept.get(node);
    kept?.by.delete(by);
    if (kept !== undefined && kept.by.size > 0) return;
    clearTimeout(kept?.timer);
    this.#kept.delete(node);
    this.#attempts.get(node)?.abort.abort();
    this.#connections
      .get(node)
      ?.close(new MegaphoneError('LINK_LET_GO', `${node}: it is needed no more`, { node }));
  }

  /** What a node that wants to connect is told. Decided by its name, and whether it is on this machine, so nothing changes here yet. */
  admit(peer: string, isFromHere: boolean): Admission {
    const { self, allow, allowFromHere } = this.#options;
    const isAdmitted = isAllowed(peer, allow) || (isFromHere && allowFromHere?.(peer) === true);
    if (peer === self.name || this.#stopped || !isAdmitted) return 'not_allowed';
    if (this.#connections.has(peer)) return 'alive';
    // Both connect at once: the attempt of the node with the greater name goes on. The peer decides by the same rule,
    // so this holds from the first moment of an attempt, even if it has not reached the peer yet.
    if (this.#attempts.has(peer)) return self.name > peer ? 'nok' : 'ok_simultaneous';
    return 'ok';
  }

  /** Makes a connection of a socket whose handshake is over. It replaces the one that may be there. */
  adopt(socket: Socket, { peer, reader }: Handshaken): void {
    if (this.#stopped) {
      socket.destroy();
      return;
    }
    const node = peer.name;
    const superseded = `${node}: a new connection took the place of this one`;
    this.#connections.get(node)?.close(new MegaphoneError('LINK_SUPERSEDED', superseded, { node }));
    const since = Date.now();
    const connection = new Connection(
      socket,
      reader,
      this.#options.self,
      peer,
      this.#inbox,
      this.#options,
      (error) => this.#closed(node, error, Date.now() - since),
    );
    this.#connections.set(node, connection);
    const kept = this.#kept.get(node);
    if (kept !== undefined) kept.opened += 1;
    this.#attempts.get(node)?.abort.abort();
    this.#listener.up(node);
    connection.start();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    for (const { timer } of this.#kept.values()) clearTimeout(timer);
    for (const { abort } of this.#attempts.values()) abort.abort();
    const goodbyes = [...this.#connections].map(([node, connection]) =>
      connection.finish(new MegaphoneError('LINK_STOPPED', `${node}: this node was stopped`, { node })),
    );
    await Promise.all(goodbyes);
  }

  async #dial(node: string, endpoint: Endpoint | undefined, attempt: Attempt): Promise<void> {
    const { self, cookie, tls, epmdPort, timeoutMs } = this.#options;
    const { signal } = attempt.abort;
    try {
      const { socket, ...handshaken } = await dial({
        self,
        cookie,
        peer: node,
        endpoint,
        tls,
        epmdPort,
        timeoutMs,
        signal,
        stillWanted: () => !this.#connections.has(node),
      });
      // First, or `adopt` would abort it, and this socket with it.
      this.#forget(node, attempt);
      this.adopt(socket, handshaken);
    } catch (error) {
      // After `nok` the peer is about to connect to us.
      if (isSimultaneous(error)) await sleep(timeoutMs, undefined, { signal }).catch(() => {});
      if (this.#stopped) throw stopped(node);
      if (!this.#connections.has(node)) throw error;
    }
  }

  #forget(node: string, attempt: Attempt): void {
    if (this.#attempts.get(node) === attempt) this.#attempts.delete(node);
  }

  #closed(node: string, error: MegaphoneError, lastedMs: number): void {
    const kept = this.#kept.get(node);
    const traffic = this.#connections.get(node)?.traffic;
    if (kept !== undefined && traffic !== undefined)
      kept.past = { ...sum(kept.past, traffic), queuedBytes: 0 };
    this.#connections.delete(node);
    this.#listener.down(node, error);
    if (kept === undefined || this.#kept.get(node) !== kept || this.#stopped) return;
    kept.lastError = error;
    kept.failures = failuresAfter(kept.failures, lastedMs);
    this.#tryLater(node, kept);
  }

  #tryLater(node: string, kept: Kept): void {
    clearTimeout(kept.timer);
    kept.timer = setTimeout(() => void this.#try(node, kept), backoff(kept.failures));
  }

  #tryNow(node: string, kept: Kept): void {
    clearTimeout(kept.timer);
    void this.#try(node, kept);
  }

  async #try(node: string, kept: Kept): Promise<void> {
    try {
      await this.connect(node, kept.endpoint);
    } catch (error) {
      if (!(error instanceof MegaphoneError)) throw error;
      if (this.#stopped || this.#kept.get(node) !== kept) return;
      kept.lastError = error;
      kept.failures += 1;
      this.#listener.unreachable(node, error);
      this.#tryLater(node, kept);
    }
  }
}

const sum = (a: Traffic, b: Traffic): Traffic => ({
  bytesIn: a.bytesIn + b.bytesIn,
  bytesOut: a.bytesOut + b.bytesOut,
  framesIn: a.framesIn + b.framesIn,
  framesOut: a.framesOut + b.framesOut,
  queuedBytes: a.queuedBytes + b.queuedBytes,
});

function isAllowed(node: string, allow: readonly string[] | undefined): boolean {
  if (allow === undefined) return true;
  return allow.includes(node) || allow.includes(`*@${parseNodeName(node).host}`);
}

function stopped(node: string): MegaphoneError {
  return new MegaphoneError('NODE_STOPPED', 'This node was stopped', { node });
}

function isSimultaneous(error: unknown): boolean {
  return error instanceof MegaphoneError && error.code === 'HANDSHAKE_SIMULTANEOUS';
}
