/** A run: a cluster, people who write to each other, and the nemesis, until its time is over; then what became of it all. */

import { setTimeout as sleep } from 'node:timers/promises';
import { Namespace } from './namespace.js';
import { Nemesis } from './nemesis.js';
import { here, type Place } from './place.js';
import { type Group, plan, type Size, type Step } from './plan.js';
import { Prey } from './prey.js';
import { Servers } from './servers.js';
import { type Outcome, Steady } from './steady-clients.js';

export interface RunOptions extends Size {
  readonly seconds: number;
  /** It also ends after so many steps. */
  readonly steps: number;
  /** Faults at once. Default 1. */
  readonly atOnce?: number;
  readonly seed: number;
  readonly users: number;
  readonly rate: number;
  readonly groups: readonly Group[];
  /** Each ejabberd node is in a network namespace of its own. */
  readonly inNamespaces?: boolean;
  /** For the history, and, where something broke, the logs. */
  readonly folder: string;
  /** The command line that plays it again. */
  readonly again: string;
}

export interface Result extends Outcome {
  readonly clients: Steady;
  /** Why the nemesis stopped, where it was not its time. */
  readonly stuck: string | undefined;
}

const HOST = 'localhost';
const WARM_UP_MS = 3_000;

/** @param say what goes on, in words. @param follow is given what can be asked while it goes on */
export async function runChaos(
  options: RunOptions,
  say: (text: string) => void,
  follow: (clients: Steady, nemesis: Nemesis) => void = () => {},
): Promise<Result> {
  say(`Starting ${options.nodes} ejabberd, ${options.gateways} gateways, HAProxy and relays ...`);
  const prey = await Prey.start(options, placeOfNode(options));
  const servers = await Servers.connect(prey.home, prey.epmdPort);
  try {
    say(`Making ${options.users} accounts ...`);
    await servers.register(prey.nodeName(1), HOST, options.users);
    const { users, rate, seed, folder, again } = options;
    const clients = await Steady.start({ urls: prey.urls, host: HOST, users, rate, seed, folder, again });
    try {
      await clients.login();
      await clients.talk();
      say(`${users} users are online; ${rate} messages a second; the nemesis comes with seed ${seed}.`);
      await sleep(WARM_UP_MS);
      const nemesis = new Nemesis(prey, servers, clients);
      follow(clients, nemesis);
      const stuck = await carryOut(nemesis, options).catch((error: Error) => error.message);
      const outcome = await clients.finish();
      if (outcome.isBroken || stuck !== undefined) prey.keepLogs(folder);
      return { ...outcome, clients, stuck };
    } finally {
      clients.close();
    }
  } finally {
    await servers.stop();
    await prey.stop();
  }
}

/** Partitions need them apart. */
const placeOfNode = ({ groups, inNamespaces = false }: RunOptions): (() => Promise<Place>) | undefined =>
  inNamespaces ? Namespace.make : groups.includes('partitions') ? async () => here : undefined;

async function carryOut(nemesis: Nemesis, options: RunOptions): Promise<undefined> {
  const { seconds, steps, seed, groups, atOnce = 1 } = options;
  const end = performance.now() + seconds * 1000;
  const coming = plan(seed, groups, options);
  while (performance.now() < end && nemesis.steps < steps) {
    const next: Step[] = [];
    // None of them starts what another one is starting.
    for (let n = 0; n < atOnce; n += 1) {
      const step = coming.next().value;
      if (!next.some((other) => isSameMember(step, other))) next.push(step);
    }
    await nemesis.take(next);
  }
}

const isSameMember = (a: Step, b: Step): boolean =>
  a.gateway === b.gateway || nodesOf(a).some((node) => nodesOf(b).includes(node));

/** Those that it is about. */
const nodesOf = ({ fault, node, peer }: Step): readonly number[] =>
  peer > 0 ? [node, peer] : fault.endsWith('-node') ? [node] : [];
