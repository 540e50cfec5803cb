/**
 * A hidden Erlang node: joins a cluster under a name of its own, is found through EPMD, holds a connection to every node
 * it should, and gives names and pids to what runs here. Other nodes see it in `nodes(hidden)`.
 */

import { randomInt } from 'node:crypto';
import { EventEmitter } from 'node:events';
import { encodeControl, type ProcessId } from '../distribution/control.js';
import { DEFAULT_EPMD_PORT } from '../distribution/epmd.js';
import { FLAGS, OUR_FLAGS } from '../distribution/flags.js';
import { parseNodeName } from '../distribution/names.js';
import { type PidNumbers, SendControls } from '../distribution/send-controls.js';
import { MegaphoneError } from '../errors.js';
import { encodeVersioned } from '../etf/encode.js';
import { Atom, atom, Pid, type Term, tuple } from '../etf/terms.js';
import { Calls, rpcRequest, rpcResult } from './calls.js';
import { Connections, type LinkTraffic } from './connections.js';
import type { Cookie } from './cookie.js';
import { type Endpoint, Registration } from './epmd-client.js';
import { aliasOf, type IncomingCall } from './incoming-call.js';
import { Listener } from './listener.js';
import { type PeerStatus, peerStatus } from './peer-status.js';
import { type NamedProcess, type PidOwner, Processes } from './processes.js';
import type { TlsCredentials } from './tls-credentials.js';
import { netKernel, type Replies, rex } from './usual-names.js';

export interface NodeOptions {
  /** Full name; a host part with a dot makes it a long one. */
  readonly name: string;
  readonly cookie: Cookie;
  /** Speaks TLS with every node, and with none without. Default: plain TCP. */
  readonly tls?: TlsCredentials;
  /** Where other nodes connect to us: all addresses and a port of the system's choice unless given. */
  readonly listen?: { readonly host?: string; readonly port?: number };
  /**
   * The local EPMD, and the port of EPMD on every host. `false` does without: others must be given our `listen.port`,
   * and each peer an endpoint. Default 127.0.0.1:4369.
   */
  readonly epmd?: { readonly host?: string; readonly port?: number } | false;
  /** Nodes that may connect in: names, or `*@host`. Default: all that have the cookie. */
  readonly allow?: readonly string[];
  /** Those that may beside them, if they connect from this machine. */
  readonly allowFromHere?: (peer: string) => boolean;
  /** Seconds, as `net_ticktime` of the cluster. Default 60. */
  readonly tickTime?: number;
  /** Milliseconds for a TCP connection, and again for its handshake. Default 7000, as `net_setuptime`. */
  readonly connectTimeoutMs?: number;
  /** Longest frame accepted, in bytes. Default 64 MiB. */
  readonly maxFrameBytes?: number;
  /** Messages to a node are refused while more bytes than this wait to be read by it. Default 32 MiB. */
  readonly maxQueuedBytes?: number;
}

interface NodeEvents {
  up: [node: string];
  down: [node: string, error: MegaphoneError];
  /** Something came from that node that nobody here can use; it was left out. */
  unusable: [node: string, error: MegaphoneError];
  /** An attempt to reach a node that is to be kept connected has failed; the next one follows. */
  unreachable: [node: string, error: MegaphoneError];
  /** A node that tried to connect to us was turned away, or gave up. */
  refused: [error: MegaphoneError, address: string];
  /** Nodes that are not connected cannot find us until `epmdRenewed`. */
  epmdLost: [error: MegaphoneError];
  epmdRenewed: [];
}

const PING_TIMEOUT_MS = 5_000;

export class HiddenNode extends EventEmitter<NodeEvents> {
  readonly name: string;
  /** Tells this life of the node from earlier ones; part of every pid. */
  readonly creation: number;
  /** Where other nodes connect to us. */
  readonly port: number;
  readonly #listener: Listener;
  readonly #registration: Registration | undefined;
  readonly #connections: Connections;
  readonly #calls: Calls;
  readonly #processes: Processes;
  /** The node itself, as sender of messages. */
  readonly #pid: Pid;
  readonly #controls: SendControls;

  /**
   * Listens, and registers at EPMD.
   * @throws MegaphoneError NODE_BAD_NAME, NODE_LISTEN, EPMD_UNREACHABLE, EPMD_NAME_TAKEN
   */
  static async start(options: NodeOptions): Promise<HiddenNode> {
    const name = parseNodeName(options.name);
    const listener = await Listener.open(options.listen?.port ?? 0, options.listen?.host);
    if (options.epmd === false) return new HiddenNode(options, listener, undefined);
    const { host = '127.0.0.1', port = DEFAULT_EPMD_PORT } = options.epmd ?? {};
    try {
      const registration = await Registration.open({ host, port }, name, listener.port);
      return new HiddenNode(options, listener, registration);
    } catch (error) {
      listener.close();
      throw error;
    }
  }

  private constructor(options: NodeOptions, listener: Listener, registration: Registration | undefined) {
    super();
    this.name = options.name;
    this.creation = registration?.creation ?? randomInt(1, 2 ** 32);
    this.port = listener.port;
    this.#listener = listener;
    this.#registration = registration;
    this.#calls = new Calls(this.name, this.creation);
    this.#processes = new Processes(this.name, this.creation, this.#calls, (error, peer) =>
      this.emit('unusable', peer, error),
    );
    this.#pid = new Pid(this.name, 0, 0, this.creation);
    this.#controls = new SendControls(this.#pid);
    const self = { name: this.name, creation: this.creation, flags: OUR_FLAGS };
    const { cookie, tls, connectTimeoutMs: timeoutMs = 7_000 } = options;
    this.#connections = new Connections(
      {
        ...{ self, cookie, tls, timeoutMs },
        epmdPort: (options.epmd || undefined)?.port ?? DEFAULT_EPMD_PORT,
        allow: options.allow,
        allowFromHere: options.allowFromHere,
        tickTime: options.tickTime ?? 60,
        maxFrameBytes: options.maxFrameBytes ?? 64 * 1024 * 1024,
        maxQueuedBytes: options.maxQueuedBytes ?? 32 * 1024 * 1024,
      },
      this.#processes,
      {
        up: (node) => this.emit('up', node),
        down: (node, error) => this.emit('down', node, error),
        unreachable: (node, error) => this.emit('unreachable', node, error),
      },
    );
    registration?.on('lost', (error) => this.emit('epmdLost', error));
    registration?.on('renewed', () => this.emit('epmdRenewed'));
    const replies: Replies = {
      reply: (call, answer) => this.reply(call, answer),
      send: (to, message) => this.send(to, encodeVersioned(message)),
    };
    this.register('net_kernel', { deliver: (message) => netKernel(message, replies) });
    this.register('rex', { deliver: (message) => rex(message, replies) });
    listener.receive({
      ...{ self, cookie, tls, timeoutMs },
      admit: (peer, isFromHere) => this.#connections.admit(peer, isFromHere),
      connected: (socket, handshaken) => this.#connections.adopt(socket, handshaken),
      refused: (error, address) => this.emit('refused', error, address),
    });
  }

  /** @throws MegaphoneError NODE_NAME_REGISTERED */
  register(name: string, process: NamedProcess): void {
    this.#processes.register(name, process);
  }

  /** The process ends: those that monitor the name are told `reason`. */
  unregister(name: string, reason: Term = atom('normal')): void {
    if (this.#processes.unregister(name)) this.exited(name, reason);
  }

  adoptPids(owner: PidOwner): void {
    this.#processes.adopt(owner);
  }

  /** It ended: those that monitor it or are linked to it are told `reason`. */
  exited(process: ProcessId, reason: Term): void {
    for (const { channel } of this.#connections.all()) channel.exited(process, reason);
  }

  /**
   * @param payload one term behind its 131, not to be changed afterwards
   * @returns false, and nothing is queued, when there is no connection or the peer does not read fast enough
   */
  send(to: Pid, payload: Uint8Array): boolean {
    return this.#connections.get(to.node)?.send(encodeControl({ op: 'SEND', to }), payload) ?? false;
  }

  /**
   * Like `send`, to what is registered as `name` on `node`. The payload may come in pieces, of which those of up to
   * 16 KiB are copied and may be changed afterwards.
   */
  sendToName(node: string, name: string, head: Uint8Array, body?: Uint8Array, tail?: Uint8Array): boolean {
    return this.#connections.get(node)?.send(this.#controls.toName(name), head, body, tail) ?? false;
  }

  /** The same, to a pid of that node. */
  sendToPid(node: string, to: PidNumbers, head: Uint8Array, body?: Uint8Array): boolean {
    return this.#connections.get(node)?.send(this.#controls.toPid(node, to), head, body) ?? false;
  }

  /** Like `send`, and never refused: a connection that is not read at all ends instead. */
  tell(to: Pid, payload: Uint8Array): void {
    this.#connections.get(to.node)?.channel.send(to, payload);
  }

  /** Answers a call. Like `send`. */
  reply({ from, tag }: IncomingCall, reply: Term): boolean {
    const connection = this.#connections.get(from.node);
    if (connection === undefined) return false;
    const alias = (connection.peer.flags & FLAGS.ALIAS) === 0n ? undefined : aliasOf(tag);
    const control =
      alias === undefined
        ? encodeControl({ op: 'SEND', to: from })
        : encodeControl({ op: 'ALIAS_SEND', from: this.#pid, to: alias });
    return connection.send(control, encodeVersioned(tuple(tag, reply)));
  }

  /**
   * Of what is registered under a name on that node, or of one of its pids.
   * @param onDown called once with the reason: `noproc`, that of its end, or `noconnection`, which is all there is
   *   from a node that does not tell ends
   * @returns ends the monitor; `onDown` is not called then
   */
  monitor(node: string, process: ProcessId, onDown: (reason: Term) => void): () => void {
    const channel = this.#connections.get(node)?.channel;
    if (channel === undefined) {
      const timer = setImmediate(onDown, atom('noconnection'));
      return () => clearImmediate(timer);
    }
    const ref = this.#calls.makeRef();
    channel.monitor(this.#pid, process, ref, onDown);
    return () => channel.demonitor(ref);
  }

  /** Whether that node tells when a process of its own ends: what Erlang runs on does. `undefined`: there is no connection to it. */
  tellsEnds(node: string): boolean | undefined {
    return this.#connections.get(node)?.channel.tellsEnds;
  }

  /** `gen_server:call({name, node}, request, timeoutMs)`. Rejects as `Calls.call` does; does not connect. */
  call(node: string, name: string, request: Term, timeoutMs: number): Promise<Term> {
    return this.#calls.call(this.#connections.get(node), node, name, request, timeoutMs);
  }

  /**
   * `rpc:call(node, module, fun, args, timeoutMs)`. Rejects as `call` does.
   * @throws MegaphoneError NODE_BADRPC, with the Erlang reason as cause
   */
  async rpc(
    node: string,
    module: string,
    fun: string,
    args: readonly Term[],
    timeoutMs: number,
  ): Promise<Term> {
    const answer = await this.call(node, 'rex', rpcRequest(module, fun, args), timeoutMs);
    return rpcResult(node, `${module}:${fun}/${args.length}`, answer);
  }

  /** `net_adm:ping(node) == pong`: connects when there is no connection yet. */
  async ping(node: string): Promise<boolean> {
    try {
      await this.connect(node);
      const answer = await this.call(
        node,
        'net_kernel',
        tuple(atom('is_auth'), atom(this.name)),
        PING_TIMEOUT_MS,
      );
      return answer instanceof Atom && answer.name === 'yes';
    } catch (error) {
      if (error instanceof MegaphoneError) return false;
      throw error;
    }
  }

  /**
   * Connects, and again whenever the connection is lost, for ever. Failures are told by `unreachable`. Said again: tries at once.
   * @param by who needs it: it is let go once nobody does
   */
  keepConnected(node: string, endpoint?: Endpoint, by = 'gateway'): void {
    this.#connections.keepConnected(node, endpoint, by);
  }

  /** Ends what `keepConnected` began, and the connection. */
  letGo(node: string, by = 'gateway'): void {
    this.#connections.letGo(node, by);
  }

  /** Connects once, unless there is a connection. @throws MegaphoneError EPMD_…, NODE_UNREACHABLE, HANDSHAKE_… */
  connect(node: string, endpoint?: Endpoint): Promise<void> {
    return this.#connections.connect(node, endpoint);
  }

  /** What went over the connections with a node that is to be connected. */
  traffic(node: string): LinkTraffic {
    return this.#connections.traffic(node);
  }

  peers(): readonly PeerStatus[] {
    return peerStatus(this.#connections);
  }

  /** Leaves EPMD and closes all connections, behind what is queued: the other nodes see a `nodedown` at once. */
  async stop(): Promise<void> {
    this.#listener.close();
    await Promise.all([this.#registration?.close(), this.#connections.stop()]);
  }
}
