/**
 * Two or more Erlang nodes with megaphone_comet, and gateways of two workers each, which reach the nodes by relays alone. Each gateway
 * is told of one node, and finds the others through it. No ejabberd, and nothing in front of the gateways.
 */

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, fstatSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Epmd } from '../../support/epmd.js';
import { Erl } from '../../support/erl.js';
import { freePorts } from '../../support/ports.js';
import { root } from '../../support/root.js';
import { PATIENCE_MS, within } from '../../support/within.js';
import type { Gateways } from '../gateway-faults.js';
import type { Link } from '../link.js';
import { Mapper } from '../mapper.js';
import { here } from '../place.js';
import type { Size } from '../plan.js';
import { killChildOf, signalFamily } from '../signals.js';

const COOKIE = 'chaos';
const WORKERS = 2;
const EBIN = join(root, 'dist/erl/megaphone_comet/ebin');
const MAIN = join(root, 'dist/src/main.js');

interface Gateway {
  readonly name: string;
  readonly port: number;
  readonly mapper: Mapper;
  child: ChildProcess | undefined;
}

const nameOf = (node: number): string => `web${node}@localhost`;

export class Stage implements Gateways {
  readonly #epmd: Epmd;
  readonly #nodes: readonly Erl[];
  readonly #gateways: readonly Gateway[];
  readonly #folder: string;

  private constructor(epmd: Epmd, nodes: readonly Erl[], gateways: readonly Gateway[], folder: string) {
    this.#epmd = epmd;
    this.#nodes = nodes;
    this.#gateways = gateways;
    this.#folder = folder;
    process.once('exit', this.#endNow);
    process.once('SIGTERM', endProcess);
  }

  /** @param folder for the gateways' logs */
  static async start({ nodes, gateways }: Size, folder: string): Promise<Stage> {
    execFileSync('make', ['--no-print-directory', '-s', '-C', 'erl', 'comet'], { cwd: root });
    const epmd = await Epmd.start();
    const erls = await Promise.all(
      Array.from({ length: nodes }, (_, n) =>
        Erl.start({
          name: nameOf(n + 1),
          cookie: COOKIE,
          epmdPort: epmd.port,
          // Two that lose each other are not to lose the third.
          args: ['-pa', EBIN, '-kernel', 'prevent_overlapping_partitions', 'false'],
        }),
      ),
    );
    const members = await Promise.all(
      (await freePorts(gateways)).map(async (port, n) => ({
        name: `gateway${n + 1}`,
        port,
        mapper: await Mapper.start(epmd.port, here, () => here, /^web\d+$/),
        child: undefined,
      })),
    );
    const stage = new Stage(epmd, erls, members, folder);
    for (let n = 1; n <= nodes; n += 1) await stage.#begin(n);
    await Promise.all(members.map((_, n) => stage.startGateway(n + 1)));
    for (const { port } of members) await stage.#knowsAll(port);
    return stage;
  }

  async stop(): Promise<void> {
    process.off('exit', this.#endNow);
    process.off('SIGTERM', endProcess);
    for (const n of this.#gateways.keys()) await this.signalGateway(n + 1, 'SIGKILL');
    await Promise.all(this.#nodes.map((node) => node.kill()));
    for (const { mapper } of this.#gateways) mapper.close();
    await this.#epmd.stop();
  }

  get ports(): readonly number[] {
    return this.#gateways.map(({ port }) => port);
  }

  get nodes(): number {
    return this.#nodes.length;
  }

  node(node: number): Erl {
    const erl = this.#nodes[node - 1];
    if (erl === undefined) throw new Error(`no node ${node}`);
    return erl;
  }

  /** Killed and started; what it had is gone. */
  async killNode(node: number, ms: number): Promise<void> {
    await this.node(node).kill();
    await sleep(ms);
    await this.node(node).restart();
    await this.#begin(node);
  }

  /** Until it knows who listens where, as another one does: what is sent before has nobody to go to. */
  async knows(node: number): Promise<void> {
    const other = this.node((node % this.nodes) + 1);
    const who = `lists:sort([{Id, lists:sort([Place || Place <- megaphone_router:places(Id), lists:member(Place, nodes(hidden))])} || Id <- Ids])`;
    const ids = 'Ids = lists:seq(1, 1000)';
    const end = performance.now() + PATIENCE_MS;
    while ((await this.node(node).text(`${ids}, ${who}`)) !== (await other.text(`${ids}, ${who}`))) {
      if (performance.now() > end) throw new Error(`never came: who listens where, at node ${node}`);
      await sleep(50);
    }
  }

  async killRouter(node: number): Promise<void> {
    const names = '[megaphone_router, megaphone_publish]';
    await this.node(node).evaluate(
      `[exit(whereis(Name), kill) || Name <- ${names}, whereis(Name) =/= undefined]`,
    );
  }

  /** All links of a gateway's workers, by the node. */
  async disconnect(gateway: number, node: number): Promise<void> {
    await this.node(node).evaluate(
      `[erlang:disconnect_node(Node) || Node <- nodes(hidden), lists:prefix("gateway${gateway}", atom_to_list(Node))]`,
    );
  }

  async startGateway(gateway: number): Promise<void> {
    const member = this.#gateway(gateway);
    const settings = {
      node: `${member.name}@localhost`,
      workers: WORKERS,
      epmd_port: member.mapper.port,
      http_ip: '127.0.0.1',
      http_port: member.port,
      nodes: '',
      comet_anyone: true,
      comet_nodes: nameOf(1 + ((gateway - 1) % this.nodes)),
    };
    const flags = Object.entries(settings).flatMap(([key, value]) => [
      `--${key.replaceAll('_', '-')}`,
      `${value}`,
    ]);
    const file = join(this.#folder, `${member.name}.log`);
    const log = openSync(file, 'a');
    const { size } = fstatSync(log);
    const { PATH } = process.env;
    member.child = spawn(process.execPath, [MAIN, 'start', ...flags], {
      cwd: this.#folder,
      env: { PATH, MEGAPHONE_COOKIE: COOKIE },
      stdio: ['ignore', log, log],
    });
    closeSync(log);
    await isUp(member.child, file, size);
  }

  async stopGateway(gateway: number): Promise<void> {
    const { child, name } = this.#gateway(gateway);
    if (child === undefined || child.exitCode !== null) throw new Error(`${name} is not there`);
    const ended = once(child, 'exit');
    child.kill('SIGTERM');
    await within(ended, () => `the end of ${name}`);
  }

  signalGateway(gateway: number, signal: NodeJS.Signals): Promise<void> {
    return signalFamily(this.#gateway(gateway).child?.pid ?? 0, signal);
  }

  killWorker(gateway: number, worker: number): Promise<void> {
    return killChildOf(this.#gateway(gateway).child?.pid ?? 0, worker);
  }

  link(gateway: number, node: number): Link | undefined {
    return this.#gateway(gateway).mapper.links.get(`web${node}`);
  }

  #gateway(gateway: number): Gateway {
    const member = this.#gateways[gateway - 1];
    if (member === undefined) throw new Error(`no gateway ${gateway}`);
    return member;
  }

  /** The application, and connections to the others. */
  async #begin(node: number): Promise<void> {
    const others = this.#nodes.map(({ name }) => `'${name}'`).join(',');
    await this.node(node).evaluate(
      `{ok, _} = application:ensure_all_started(megaphone_comet), [net_kernel:connect_node(Node) || Node <- [${others}], Node =/= node()]`,
    );
  }

  /** Until pages that come there, at either worker, have a place at each node: what is sent from then on reaches them. */
  async #knowsAll(port: number): Promise<void> {
    const end = performance.now() + PATIENCE_MS;
    for (let row = 0; row < 2 * WORKERS; ) {
      const answer = await fetch(`http://127.0.0.1:${port}/comet/first?poll`, {
        headers: { connection: 'close' },
      });
      const text = await answer.text();
      const nodes = text.split(',').length;
      row = answer.status === 200 && nodes === this.nodes ? row + 1 : 0;
      if (performance.now() > end)
        throw new Error(`never came: a place at each node, but ${answer.status} ${text}`);
      if (row === 0) await sleep(100);
    }
  }

  readonly #endNow = (): void => {
    // Their workers end with them.
    for (const { child } of this.#gateways) child?.kill('SIGKILL');
  };
}

/** Whoever is ended must not leave servers behind. */
function endProcess(): void {
  process.exit(143);
}

/** Each of its workers is: one that dies before would end it. @param from where in the log it began */
async function isUp(child: ChildProcess, log: string, from: number): Promise<void> {
  for (const end = performance.now() + PATIENCE_MS; ; await sleep(50)) {
    const text = readFileSync(log, 'utf8').slice(from);
    if (text.includes('endpoint: ')) return;
    if (child.exitCode !== null || performance.now() > end)
      throw new Error(`a gateway does not start:\n${text}`);
  }
}
