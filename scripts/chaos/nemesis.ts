/** Carries a plan out: breaks something, mends it, and waits until everybody is served again. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Cluster } from './cluster.js';
import { PASS } from './lane.js';
import type { Link } from './link.js';
import { DELAY, mayLose, type Step, tell } from './plan.js';
import type { Servers } from './servers.js';
import type { Steady } from './steady-clients.js';

/** Who is not served for longer than this never will be. */
const RECOVERY_SECONDS = 90;
/** After so many steps the servers are asked for everybody's sessions. */
const LOOK_EVERY = 10;

export class Nemesis {
  readonly #cluster: Cluster;
  readonly #servers: Servers;
  readonly #clients: Steady;
  steps = 0;

  constructor(cluster: Cluster, servers: Servers, clients: Steady) {
    this.#cluster = cluster;
    this.#servers = servers;
    this.#clients = clients;
  }

  /** @throws Error where users are not served again */
  async take(step: Step): Promise<void> {
    this.steps += 1;
    this.#clients.step(tell(step), step.fault, mayLose(step));
    await this.#break(step);
    if ((await this.#clients.recovered(RECOVERY_SECONDS)) === undefined) {
      const { online, oldest } = this.#clients.now;
      throw new Error(
        `not recovered from step ${this.steps} (${tell(step)}) after ${RECOVERY_SECONDS} s: ` +
          `${online} users online, a message is on its way for ${oldest.toFixed(0)} s`,
      );
    }
    if (this.steps % LOOK_EVERY === 0) await this.#look();
    await sleep(step.pauseMs);
  }

  async #break(step: Step): Promise<void> {
    const { gateway, node, worker, ms } = step;
    const cluster = this.#cluster;
    switch (step.fault) {
      case 'kill-gateway':
        cluster.killGateway(gateway);
        await sleep(ms);
        await cluster.startGateway(gateway);
        return;
      case 'stop-gateway':
        await cluster.stopGateway(gateway);
        await cluster.startGateway(gateway);
        return;
      case 'freeze-gateway':
        cluster.freezeGateway(gateway);
        await sleep(ms);
        cluster.thawGateway(gateway);
        return;
      case 'kill-worker':
        cluster.killWorker(gateway, worker);
        return;
      case 'cut-link':
        this.#link(step)?.cut();
        return;
      case 'disconnect-link':
        await this.#servers.disconnectAll(cluster.nodeName(node), `megaphone${gateway}`);
        return;
      case 'hold-link':
        return this.#treat(step, { kind: 'hold' });
      case 'drop-link':
        return this.#treat(step, { kind: 'drop' });
      case 'delay-link':
        return this.#treat(step, DELAY);
      case 'kill-node':
        cluster.killNode(node);
        await sleep(ms);
        await cluster.startNode(node);
        return;
      case 'stop-node':
        await cluster.stopNode(node);
        await cluster.startNode(node);
        return;
      case 'freeze-node':
        cluster.freezeNode(node);
        await sleep(ms);
        cluster.thawNode(node);
    }
  }

  async #treat(
    { gateway, node, direction, ms }: Step,
    treatment: Parameters<Link['treat']>[1],
  ): Promise<void> {
    const link = this.#cluster.link(gateway, node);
    link?.treat(direction, treatment);
    await sleep(ms);
    link?.treat(direction, PASS);
  }

  #link({ gateway, node }: Step): Link | undefined {
    return this.#cluster.link(gateway, node);
  }

  async #look(): Promise<void> {
    const [node = 1] = this.#cluster.nodes;
    this.#clients.sessions(await this.#servers.sessions(this.#cluster.nodeName(node), 'localhost'));
  }
}
