/** Carries a plan out: breaks something, mends it, and waits until everybody is served again. */

import { setTimeout as sleep } from 'node:timers/promises';
import { breakGateway } from './gateway-faults.js';
import { PASS } from './lane.js';
import type { Link } from './link.js';
import { DELAY, lossOf, type Step, tell } from './plan.js';
import type { Prey } from './prey.js';
import type { Servers } from './servers.js';
import type { Steady } from './steady-clients.js';

/** Who is not served for longer than this never will be. */
const RECOVERY_SECONDS = 90;
/** After so many steps the servers are asked for everybody's sessions. */
const LOOK_EVERY = 10;

const OPPOSITE = { there: 'back', back: 'there', both: 'both' } as const;

export class Nemesis {
  readonly #prey: Prey;
  readonly #servers: Servers;
  readonly #clients: Steady;
  steps = 0;

  constructor(prey: Prey, servers: Servers, clients: Steady) {
    this.#prey = prey;
    this.#servers = servers;
    this.#clients = clients;
  }

  /** Some at once. @throws Error where users are not served again */
  async take(steps: readonly Step[]): Promise<void> {
    const before = this.steps;
    this.steps += steps.length;
    for (const step of steps) this.#clients.step(tell(step), step.fault, lossOf(step));
    await Promise.all(steps.map((step) => this.#break(step)));
    if ((await this.#clients.recovered(RECOVERY_SECONDS)) === undefined) {
      const { online, oldest } = this.#clients.now;
      throw new Error(
        `not recovered from step ${this.steps} (${steps.map(tell).join(', ')}) after ${RECOVERY_SECONDS} s: ` +
          `${online} users online, a message is on its way for ${oldest.toFixed(0)} s`,
      );
    }
    if (Math.floor(this.steps / LOOK_EVERY) > Math.floor(before / LOOK_EVERY)) await this.#look();
    await sleep(Math.max(...steps.map(({ pauseMs }) => pauseMs)));
  }

  async #break(step: Step): Promise<void> {
    const { gateway, node, ms } = step;
    const prey = this.#prey;
    if (await breakGateway(step, prey)) return;
    switch (step.fault) {
      case 'restart-gateway':
        await prey.stopGateway(gateway);
        await prey.startGateway(gateway);
        await prey.whole();
        return;
      case 'disconnect-link':
        await this.#servers.disconnectAll(prey.nodeName(node), `megaphone${gateway}`);
        return;
      case 'kill-node':
        await prey.signalNode(node, 'SIGKILL');
        await sleep(ms);
        await prey.startNode(node);
        return;
      case 'stop-node':
        await prey.stopNode(node);
        await prey.startNode(node);
        return;
      case 'freeze-node':
        await prey.signalNode(node, 'SIGSTOP');
        await sleep(ms);
        await prey.signalNode(node, 'SIGCONT');
        return;
      case 'hold-peers':
        return this.#treatPeers(step, { kind: 'hold' });
      case 'delay-peers':
        return this.#treatPeers(step, DELAY);
      case 'split-nodes':
        return this.#split(step);
    }
  }

  /** Whichever of the two dialled. */
  async #treatPeers(
    { node, peer, direction, ms }: Step,
    treatment: Parameters<Link['treat']>[1],
  ): Promise<void> {
    const [dialled, accepted] = this.#prey.linksBetween(node, peer);
    dialled?.treat(direction, treatment);
    accepted?.treat(OPPOSITE[direction], treatment);
    await sleep(ms);
    dialled?.treat('both', PASS);
    accepted?.treat('both', PASS);
  }

  /**
   * Mnesia does not heal by itself: all but one are restarted, and take its tables. A third node is cut off as well, by its own
   * doing (`prevent_overlapping_partitions` of kernel(6)).
   */
  async #split({ node, peer, ms }: Step): Promise<void> {
    const links = this.#prey.linksBetween(node, peer);
    for (const link of links) link?.down(true);
    await sleep(ms);
    for (const link of links) link?.down(false);
    for (let n = 1; n <= this.#prey.nodes; n += 1) {
      if (n === peer) continue;
      await this.#prey.stopNode(n);
      await this.#prey.startNode(n);
    }
  }

  async #look(): Promise<void> {
    this.#clients.sessions(await this.#servers.sessions(this.#prey.nodeName(1), 'localhost'));
  }
}
