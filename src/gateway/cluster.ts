/**
 * Which ejabberd nodes there are, and which one gets a request.
 *
 * Some are named in the configuration, the seeds; the others are found through them (picture.ts). The node of a session is that
 * of its sid's tag while it is in service. Sessions move, though, and nodes die: where the tag is of no node known here, or of
 * one that is surely no more, any node in service does, for it passes the request on, or answers for the cluster.
 */

import type { Logger } from 'pino';
import type { Endpoint } from '../node/epmd-client.js';
import { type ClusterInfo, IN_SERVICE } from './cluster-info.js';
import { ClusterNode, type NodeListener } from './cluster-node.js';
import { withMoreRoom } from './node-room.js';
import type { BodyBudget } from './outbox.js';
import { type Picture, pictureOf } from './picture.js';
import type { Clock, ErlangNode } from './ports.js';
import { tagOfSid } from './sid.js';

export interface Seed {
  readonly name: string;
  /** Without it EPMD on its host is asked. */
  readonly endpoint?: Endpoint | undefined;
}

export interface ClusterOptions {
  readonly nodes: readonly Seed[];
  /** Whether further nodes are found through those. */
  readonly discover: boolean;
}

export interface ClusterListener extends Omit<NodeListener, 'died'> {
  /** Others may take what waits for that node, for it is no more; or at least what it was never sent and others may know. */
  elsewhere(node: ClusterNode, isLost: boolean): void;
  /** This one has no way any more to a node that it may have passed requests on to. */
  passedInVain(node: ClusterNode): void;
  /** Whether anything of ours is open there. */
  isUsed(node: ClusterNode): boolean;
}

export class Cluster {
  readonly #seeds: ReadonlyMap<string, Seed>;
  readonly #discover: boolean;
  readonly #budget: BodyBudget;
  readonly #node: ErlangNode;
  readonly #clock: Clock;
  readonly #log: Logger;
  readonly #listener: ClusterListener;
  readonly #byName = new Map<string, ClusterNode>();
  readonly #byTag = new Map<string, ClusterNode>();
  #nodes: readonly ClusterNode[] = [];
  /** Those that know of other nodes' sessions. */
  #modules: readonly ClusterNode[] = [];
  #running: Picture['running'];

  /** @param budget for the bodies of requests, of all nodes together */
  constructor(
    node: ErlangNode,
    { nodes, discover }: ClusterOptions,
    budget: BodyBudget,
    clock: Clock,
    log: Logger,
    listener: ClusterListener,
  ) {
    this.#seeds = new Map(nodes.map((seed) => [seed.name, seed]));
    this.#discover = discover;
    this.#budget = budget;
    this.#node = node;
    this.#clock = clock;
    this.#log = log;
    this.#listener = listener;
    for (const { name } of nodes) this.#add(name);
    node.on('up', (name) => this.find(name)?.up());
    node.on('down', (name, error) => this.find(name)?.down(error));
    node.on('unreachable', (name, error) => this.find(name)?.unreachable(error));
  }

  get nodes(): readonly ClusterNode[] {
    return this.#nodes;
  }

  get inService(): number {
    return this.#nodes.reduce((count, node) => (node.kind === undefined ? count : count + 1), 0);
  }

  /** Some node in service takes no new sessions, by its own word. */
  get isFull(): boolean {
    return this.#nodes.some(({ kind, room }) => kind !== undefined && room.isClosed);
  }

  find(name: string): ClusterNode | undefined {
    return this.#byName.get(name);
  }

  isSeed({ name }: Pick<ClusterNode, 'name'>): boolean {
    return this.#seeds.has(name);
  }

  /** Dials those that are named in the configuration. */
  connect(): void {
    for (const { name, endpoint } of this.#seeds.values()) this.#node.keepConnected(name, endpoint);
  }

  /** The node for a new session; `undefined`: none takes any. */
  forSession(): ClusterNode | undefined {
    const nodes = this.#nodes.filter(({ takesSessions }) => takesSessions);
    const reading = nodes.filter(({ outbox }) => !outbox.isSilent);
    return this.#onlyShell ?? withMoreRoom(reading.length > 0 ? reading : nodes);
  }

  /** The node for a request with that sid, which may be out of service, or behind; `undefined`: no node can have given it. */
  ofSession(sid: string): ClusterNode | undefined {
    const tag = tagOfSid(sid);
    const node = tag === undefined ? undefined : this.#byTag.get(tag);
    if (node !== undefined && node.kind !== undefined) return node;
    if (this.#onlyShell !== undefined) return this.#onlyShell;
    if (tag === undefined || (node !== undefined && !this.isLost(node) && !node.isGone)) return node;
    // The same for all of a session, so that they stay in order.
    return pick(this.#modules, sid) ?? node ?? this.#nodes.find(({ kind }) => kind === undefined);
  }

  /** What a node's module says of the cluster. */
  tell(node: ClusterNode, says: ClusterInfo): void {
    const before = node.room.says;
    node.room.tell(says);
    // First, for it may be given more of those at once.
    if ([...(before?.nodes ?? [])].some((name) => !says.nodes.has(name))) this.#listener.passedInVain(node);
    this.#look();
    // One that is back is dialled now, not when its turn would come.
    for (const name of says.nodes) {
      if (before?.nodes.has(name) === false && this.find(name)?.standing === 'apart')
        this.#node.keepConnected(name);
    }
  }

  /** Nothing it had is to be waited for. */
  isLost(node: ClusterNode): boolean {
    if (node.kind !== undefined) return false;
    return node.isDead || node.room.isStopping || this.#running?.has(node.name) === false;
  }

  /** The node of which a session speaks, whether or not anybody spoke of it before. */
  meet(name: string): ClusterNode {
    return this.find(name) ?? this.#find(name, 'a session that moved there');
  }

  /** Every second. */
  tick(): void {
    for (const node of this.#nodes) {
      node.tick();
      if (node.isLeaving) this.#letGo(node);
    }
  }

  stop(): void {
    for (const node of this.#nodes) node.stop();
  }

  /** A person at a shell wants to see whatever is sent. */
  get #onlyShell(): ClusterNode | undefined {
    const [only] = this.#nodes;
    return this.#nodes.length === 1 && only?.kind === 'plain' ? only : undefined;
  }

  /** Anew, when one of them came or went, or spoke. */
  #look(): void {
    const members = this.#nodes.map((node) => ({
      name: node.name,
      isSeed: this.isSeed(node),
      // Whoever left may be in another cluster now.
      says: node.isLeaving ? undefined : node.says,
    }));
    const { found, left, running } = pictureOf(members);
    this.#running = running;
    if (this.#discover) {
      for (const node of this.#nodes) this.#mark(node, left.has(node.name));
      for (const [name, by] of found) this.#find(name, by);
    }
    const modules = this.#nodes.filter(({ kind, isLeaving }) => kind === 'module' && !isLeaving);
    const staying = modules.filter(({ room }) => room.state === IN_SERVICE);
    this.#modules = staying.length > 0 ? staying : modules;
    for (const node of this.#nodes) {
      if (node.kind === undefined && node.outbox.waiting.size > 0)
        this.#listener.elsewhere(node, this.isLost(node));
    }
  }

  #mark(node: ClusterNode, isLeaving: boolean): void {
    if (node.isLeaving === isLeaving) return;
    node.isLeaving = isLeaving;
    const what = isLeaving ? 'has left the cluster' : 'is back in the cluster';
    this.#log.info({ node: node.name }, `${node.name} ${what}`);
  }

  #find(name: string, by: string): ClusterNode {
    this.#log.info({ node: name, by }, `${name} is found through ${by}`);
    const node = this.#add(name);
    // In a fixed list it is for those sessions alone that are there.
    node.isLeaving = !this.#discover;
    // It may have been quicker to connect to us.
    if (this.#node.tellsEnds(name) !== undefined) node.up();
    this.#node.keepConnected(name);
    return node;
  }

  #add(name: string): ClusterNode {
    const node = new ClusterNode(name, this.#budget, this.#node, this.#clock, this.#log, {
      inService: (peer) => {
        this.#listener.inService(peer);
        this.#look();
      },
      outOfService: (peer, kind) => {
        this.#listener.outOfService(peer, kind);
        if (peer.isConnected) this.#look();
      },
      connectionLost: (peer) => {
        this.#listener.connectionLost(peer);
        // Behind that: what goes over to others meanwhile would not know that answers may be lost.
        this.#look();
      },
      died: () => this.#look(),
    });
    this.#byName.set(name, node);
    this.#byTag.set(node.tag, node);
    this.#nodes = [...this.#byName.values()];
    return node;
  }

  /** Where none of its sessions can live any more, and nothing is open there. */
  #letGo(node: ClusterNode): void {
    const isEmpty = node.kind === undefined ? node.isGone || node.isDead : node.room.sessions === 0;
    if (!isEmpty || this.#listener.isUsed(node)) return;
    this.#byName.delete(node.name);
    this.#byTag.delete(node.tag);
    this.#nodes = [...this.#byName.values()];
    this.#node.letGo(node.name);
    this.#look();
  }
}

/** One of them, and for a session always the same. */
function pick(nodes: readonly ClusterNode[], sid: string): ClusterNode | undefined {
  let hash = 0;
  for (let at = 0; at < sid.length; at += 1) hash = (hash * 31 + sid.charCodeAt(at)) | 0;
  return nodes[(hash >>> 0) % nodes.length];
}
