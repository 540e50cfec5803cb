/** The cluster that a run breaks: one of its own, with a relay between each of its gateways and each of its nodes. */

import { once } from 'node:events';
import { cpSync, existsSync } from 'node:fs';
import { type AddressInfo, createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { family } from '../load/linux-process.js';
import { Cluster, type Size } from '../support/cluster.js';
import type { Link } from './link.js';
import { type Listen, Mapper } from './mapper.js';

const WORKERS = 2;
const MAX_TRIES = 100;
const TRY_AGAIN_MS = 5;

/** A gateway, and the port mapper that it asks. */
interface Gateway {
  readonly mapper: Mapper;
  /** The cluster as its scripts see it. */
  readonly cluster: Cluster;
}

/** Numbers of gateways, nodes and workers are from 1 on. */
export class Prey {
  readonly #cluster: Cluster;
  readonly #gateways: readonly Gateway[];

  private constructor(cluster: Cluster, gateways: readonly Gateway[]) {
    this.#cluster = cluster;
    this.#gateways = gateways;
  }

  /** Its gateways reach the nodes by our relays alone. */
  static async start(size: Size): Promise<Prey> {
    const cluster = await Cluster.start(size, WORKERS);
    const epmdPort = Number(cluster.env.ERL_EPMD_PORT);
    const gateways = await Promise.all(
      Array.from({ length: size.gateways }, async (): Promise<Gateway> => {
        const { server, port } = await listen();
        return {
          mapper: new Mapper(server, epmdPort, listen),
          cluster: new Cluster({ ...cluster.env, MEGAPHONE_EPMD_PORT: `${port}` }),
        };
      }),
    );
    const prey = new Prey(cluster, gateways);
    for (const [index] of gateways.entries()) {
      await prey.signalGateway(index + 1, 'SIGKILL');
      await prey.startGateway(index + 1);
    }
    return prey;
  }

  async stop(): Promise<void> {
    await this.#cluster.stop();
    for (const { mapper } of this.#gateways) mapper.close();
  }

  get urls(): { readonly bosh: string; readonly websocket: string } {
    return { bosh: this.#cluster.url, websocket: this.#cluster.webSocketUrl };
  }

  /** Where the cookie is, and the port mapper that the nodes ask. */
  get home(): string {
    return this.#cluster.folder;
  }

  get epmdPort(): number {
    return Number(this.#cluster.env.ERL_EPMD_PORT);
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

  /** To all of its processes: SIGKILL is as if its machine had lost power. */
  async signalGateway(gateway: number, signal: NodeJS.Signals): Promise<void> {
    send(signal, await this.#processesOf(gateway));
  }

  /** @param worker counted round and round */
  async killWorker(gateway: number, worker: number): Promise<void> {
    const [, ...workers] = await this.#processesOf(gateway);
    if (workers.length > 0) send('SIGKILL', [workers[worker % workers.length] as number]);
  }

  async startNode(node: number): Promise<void> {
    await this.#cluster.member('node', node, 'start');
  }

  /** SIGTERM, and until it is gone. */
  async stopNode(node: number): Promise<void> {
    await this.#cluster.member('node', node, 'stop');
  }

  async signalNode(node: number, signal: NodeJS.Signals): Promise<void> {
    send(signal, [await this.#cluster.pid('node', node)]);
  }

  /** Between a gateway and a node; `undefined` while it never looked for it. */
  link(gateway: number, node: number): Link | undefined {
    return this.#gateway(gateway).mapper.links.get(`ejabberd${node}`);
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

  /** The first is the one that has the others. They may end, or be replaced, while they are looked at. */
  async #processesOf(gateway: number): Promise<readonly number[]> {
    const first = await this.#cluster.pid('gateway', gateway);
    for (let tries = 0; existsSync(`/proc/${first}`) && tries < MAX_TRIES; tries += 1) {
      try {
        return family(first);
      } catch {
        await sleep(TRY_AGAIN_MS);
      }
    }
    return [];
  }

  #gateway(number: number): Gateway {
    const gateway = this.#gateways[number - 1];
    if (gateway === undefined) throw new Error(`no gateway ${number}`);
    return gateway;
  }
}

const listen: Listen = async () => {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as AddressInfo).port };
};

function send(signal: NodeJS.Signals, pids: readonly number[]): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch (error) {
      // It was faster.
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
  }
}

function copy(file: string, folder: string, name: string): void {
  if (existsSync(file)) cpSync(file, join(folder, name));
}
