/** The cluster that a run breaks: one of its own, with a relay between each of its gateways and each of its nodes. */

import { cpSync, existsSync } from 'node:fs';
import { join } from 'node:path';
import { Cluster, type Size } from '../support/cluster.js';
import type { Gateways } from './gateway-faults.js';
import type { Link } from './link.js';
import { Mapper } from './mapper.js';
import { here, type Place } from './place.js';
import { killChildOf, send, signalFamily } from './signals.js';

const WORKERS = 2;

/** One member, and the port mapper that it asks. */
interface Member {
  readonly mapper: Mapper;
  /** The cluster as its scripts see it. */
  readonly cluster: Cluster;
}

/** Numbers of gateways, nodes and workers are from 1 on. */
export class Prey implements Gateways {
  readonly #cluster: Cluster;
  readonly #gateways: readonly Member[];
  /** Empty where they reach each other directly. */
  readonly #nodes: readonly Member[];
  readonly #places: readonly Place[];
  /** Ours. */
  readonly #mapper: Mapper;

  private constructor(
    cluster: Cluster,
    mapper: Mapper,
    gateways: readonly Member[],
    nodes: readonly Member[],
    places: readonly Place[],
  ) {
    this.#cluster = cluster;
    this.#mapper = mapper;
    this.#gateways = gateways;
    this.#nodes = nodes;
    this.#places = places;
  }

  /**
   * Its gateways reach the nodes by our relays alone.
   * @param placeOfNode for nodes in places of their own, which reach each other by our relays, too
   */
  static async start(size: Size, placeOfNode?: () => Promise<Place>): Promise<Prey> {
    const cluster = await Cluster.start(size, WORKERS);
    const places =
      placeOfNode === undefined ? [] : await Promise.all(Array.from({ length: size.nodes }, placeOfNode));
    const placeOf = (name: string): Place => places[Number(name.replace('ejabberd', '')) - 1] ?? here;
    const map = (at: Place): Promise<Mapper> => Mapper.start(Number(cluster.env.ERL_EPMD_PORT), at, placeOf);
    const member = async (at: Place): Promise<Member> => {
      const mapper = await map(at);
      const env = { ...cluster.env, ERL_EPMD_PORT: `${mapper.port}` };
      return { mapper, cluster: new Cluster(env, at.prefix) };
    };
    const gateways = await Promise.all(Array.from({ length: size.gateways }, () => member(here)));
    const nodes = await Promise.all(places.map(member));
    const prey = new Prey(cluster, await map(here), gateways, nodes, places);
    await prey.#move();
    return prey;
  }

  async stop(): Promise<void> {
    await this.#cluster.stop();
    for (const { mapper } of [...this.#gateways, ...this.#nodes]) mapper.close();
    this.#mapper.close();
    for (const place of this.#places) place.close();
  }

  get urls(): { readonly bosh: string; readonly websocket: string } {
    return { bosh: this.#cluster.url, websocket: this.#cluster.webSocketUrl };
  }

  /** Where the cookie is, and a port mapper by which the nodes can be reached from here. */
  get home(): string {
    return this.#cluster.folder;
  }

  get epmdPort(): number {
    return this.#mapper.port;
  }

  get nodes(): number {
    return this.#cluster.size.nodes;
  }

  nodeName(node: number): string {
    return `ejabberd${node}@localhost`;
  }

  async startGateway(gateway: number): Promise<void> {
    await this.#gateway(gateway).cluster.member('gateway', gateway, 'start');
  }

  /** SIGTERM, and until it is gone. */
  async stopGateway(gateway: number): Promise<void> {
    await this.#gateway(gateway).cluster.member('gateway', gateway, 'stop');
  }

  /** Until each gateway has each node in service, and HAProxy each gateway. */
  async whole(): Promise<void> {
    await this.#cluster.script('wait');
  }

  /** To all of its processes. */
  async signalGateway(gateway: number, signal: NodeJS.Signals): Promise<void> {
    await signalFamily(await this.#cluster.pid('gateway', gateway), signal);
  }

  /** @param worker counted round and round */
  async killWorker(gateway: number, worker: number): Promise<void> {
    await killChildOf(await this.#cluster.pid('gateway', gateway), worker);
  }

  async startNode(node: number): Promise<void> {
    await this.#node(node).member('node', node, 'start');
  }

  /** SIGTERM, and until it is gone. */
  async stopNode(node: number): Promise<void> {
    await this.#node(node).member('node', node, 'stop');
  }

  async signalNode(node: number, signal: NodeJS.Signals): Promise<void> {
    await send(signal, [await this.#cluster.pid('node', node)]);
  }

  /** From a gateway to a node; `undefined` while it never looked for it. */
  link(gateway: number, node: number): Link | undefined {
    return this.#gateway(gateway).mapper.links.get(`ejabberd${node}`);
  }

  /** Between two nodes in places of their own: what the one dials, and what the other does. */
  linksBetween(node: number, peer: number): readonly [Link | undefined, Link | undefined] {
    const link = (from: number, to: number): Link | undefined =>
      this.#nodes[from - 1]?.mapper.links.get(`ejabberd${to}`);
    return [link(node, peer), link(peer, node)];
  }

  /** What its members logged. */
  keepLogs(folder: string): void {
    const { nodes, gateways } = this.#cluster.size;
    for (let n = 1; n <= gateways; n += 1)
      copy(join(this.home, `gateway${n}`, 'gateway.log'), folder, `gateway${n}.log`);
    for (let n = 1; n <= nodes; n += 1) {
      copy(join(this.home, `ejabberd${n}`, 'logs', 'ejabberd.log'), folder, `ejabberd${n}.log`);
    }
  }

  /** Members to their places, and behind their relays. */
  async #move(): Promise<void> {
    for (const index of this.#gateways.keys()) {
      await this.signalGateway(index + 1, 'SIGKILL');
      await this.startGateway(index + 1);
    }
    // Whoever stops last is the first to start: the others take their tables from it.
    for (const index of this.#nodes.keys()) await this.#cluster.member('node', index + 1, 'stop');
    for (const index of [...this.#nodes.keys()].reverse()) await this.startNode(index + 1);
  }

  #gateway(number: number): Member {
    const gateway = this.#gateways[number - 1];
    if (gateway === undefined) throw new Error(`no gateway ${number}`);
    return gateway;
  }

  #node(number: number): Cluster {
    return this.#nodes[number - 1]?.cluster ?? this.#cluster;
  }
}

function copy(file: string, folder: string, name: string): void {
  if (existsSync(file)) cpSync(file, join(folder, name));
}
