/** The cluster that a run breaks, made and mended by scripts/cluster.sh, with relays between its gateways and its nodes. */

import { execFile } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { family } from '../load/linux-process.js';
import { root } from '../support/root.js';
import type { Link } from './link.js';
import { Mapper } from './mapper.js';

const run = promisify(execFile);

export interface ClusterOptions {
  /** Numbers of ejabberd nodes, and of gateways. */
  readonly nodes: number;
  readonly gateways: number;
  /** MEGAPHONE_VAR, CLUSTER_PORT and ERL_EPMD_PORT of a cluster of our own. */
  readonly folder: string;
  readonly port: number;
  readonly epmdPort: number;
}

export class Cluster {
  readonly options: ClusterOptions;
  readonly #env: NodeJS.ProcessEnv;
  /** One for each gateway, from 1 on. */
  readonly #mappers: readonly Mapper[];
  readonly #mapperPorts: readonly number[];

  private constructor(options: ClusterOptions, mappers: readonly Mapper[], ports: readonly number[]) {
    const { nodes, gateways, folder, port, epmdPort } = options;
    this.options = options;
    this.#mappers = mappers;
    this.#mapperPorts = ports;
    this.#env = {
      ...process.env,
      NODES: `${nodes}`,
      GATEWAYS: `${gateways}`,
      MEGAPHONE_VAR: folder,
      CLUSTER_PORT: `${port}`,
      ERL_EPMD_PORT: `${epmdPort}`,
    };
  }

  /** Starts all of it; its gateways reach the nodes by our relays alone. */
  static async start(options: ClusterOptions): Promise<Cluster> {
    const servers = await Promise.all(Array.from({ length: options.gateways }, listen));
    const mappers = servers.map(({ server }) => new Mapper(server, options.epmdPort, listen));
    const cluster = new Cluster(
      options,
      mappers,
      servers.map(({ port }) => port),
    );
    await cluster.#script(['up']);
    for (const gateway of cluster.gateways) {
      cluster.killGateway(gateway);
      await cluster.startGateway(gateway);
    }
    return cluster;
  }

  /** Ends all of it. */
  async stop(): Promise<void> {
    await this.#script(['down']);
    for (const mapper of this.#mappers) mapper.close();
  }

  get urls(): { readonly bosh: string; readonly websocket: string } {
    const address = `127.0.0.1:${this.options.port}`;
    return { bosh: `http://${address}/bosh`, websocket: `ws://${address}/ws` };
  }

  /** Where the cookie is. */
  get home(): string {
    return join(this.options.folder, 'cluster');
  }

  get gateways(): readonly number[] {
    return numbers(this.options.gateways);
  }

  get nodes(): readonly number[] {
    return numbers(this.options.nodes);
  }

  nodeName(node: number): string {
    return `ejabberd${node}@localhost`;
  }

  startGateway(gateway: number): Promise<void> {
    const port = this.#mapperPorts[gateway - 1];
    return this.#script(['gateway', `${gateway}`, 'start'], { MEGAPHONE_EPMD_PORT: `${port}` });
  }

  /** SIGTERM, and until it is gone. */
  stopGateway(gateway: number): Promise<void> {
    return this.#script(['gateway', `${gateway}`, 'stop']);
  }

  /** SIGKILL, all of its processes: as if its machine had lost power. */
  killGateway(gateway: number): void {
    this.#signal(this.processesOf(gateway), 'SIGKILL');
  }

  freezeGateway(gateway: number): void {
    this.#signal(this.processesOf(gateway), 'SIGSTOP');
  }

  thawGateway(gateway: number): void {
    this.#signal(this.processesOf(gateway), 'SIGCONT');
  }

  /** Which of them, counted round and round. */
  killWorker(gateway: number, worker: number): void {
    const [, ...workers] = this.processesOf(gateway);
    this.#signal([workers[worker % workers.length] as number], 'SIGKILL');
  }

  startNode(node: number): Promise<void> {
    return this.#script(['node', `${node}`, 'start']);
  }

  stopNode(node: number): Promise<void> {
    return this.#script(['node', `${node}`, 'stop']);
  }

  killNode(node: number): void {
    this.#signal([this.#pid('ejabberd', node)], 'SIGKILL');
  }

  freezeNode(node: number): void {
    this.#signal([this.#pid('ejabberd', node)], 'SIGSTOP');
  }

  thawNode(node: number): void {
    this.#signal([this.#pid('ejabberd', node)], 'SIGCONT');
  }

  /** Between a gateway and a node; `undefined` while it never connected to it. */
  link(gateway: number, node: number): Link | undefined {
    return this.#mappers[gateway - 1]?.links.get(this.nodeName(node).split('@')[0] as string);
  }

  /** The first is the one that has the others. */
  processesOf(gateway: number): number[] {
    return family(this.#pid('gateway', gateway));
  }

  #pid(kind: 'gateway' | 'ejabberd', number: number): number {
    return Number(readFileSync(join(this.home, `${kind}${number}`, `${kind}.pid`), 'utf8'));
  }

  #signal(pids: readonly number[], signal: NodeJS.Signals): void {
    for (const pid of pids) {
      try {
        process.kill(pid, signal);
      } catch (error) {
        // It was faster.
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    }
  }

  async #script(words: readonly string[], extra: NodeJS.ProcessEnv = {}): Promise<void> {
    await run(join(root, 'scripts', 'cluster.sh'), words, { env: { ...this.#env, ...extra }, cwd: root });
  }
}

async function listen(): Promise<{ readonly server: Server; readonly port: number }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
}

const numbers = (count: number): number[] => Array.from({ length: count }, (_, index) => index + 1);
