/** What breaks gateways and their links to nodes, whatever those serve. */

import { setTimeout as sleep } from 'node:timers/promises';
import { PASS, type Treatment } from './lane.js';
import type { Link } from './link.js';
import { DELAY, type Step } from './plan.js';

/** Numbers of gateways, nodes and workers are from 1 on. */
export interface Gateways {
  startGateway(gateway: number): Promise<void>;
  /** SIGTERM, and until it is gone. */
  stopGateway(gateway: number): Promise<void>;
  /** To all of its processes. */
  signalGateway(gateway: number, signal: NodeJS.Signals): Promise<void>;
  killWorker(gateway: number, worker: number): Promise<void>;
  /** `undefined` while the gateway never looked for that node. */
  link(gateway: number, node: number): Link | undefined;
}

/** Breaks it, and mends it. @returns whether it is such a fault */
export async function breakGateway(step: Step, of: Gateways): Promise<boolean> {
  const { gateway, node, worker, ms } = step;
  switch (step.fault) {
    case 'kill-gateway':
      await of.signalGateway(gateway, 'SIGKILL');
      await sleep(ms);
      await of.startGateway(gateway);
      return true;
    case 'stop-gateway':
      await of.stopGateway(gateway);
      await of.startGateway(gateway);
      return true;
    case 'freeze-gateway':
      await of.signalGateway(gateway, 'SIGSTOP');
      await sleep(ms);
      await of.signalGateway(gateway, 'SIGCONT');
      return true;
    case 'kill-worker':
      await of.killWorker(gateway, worker);
      return true;
    case 'cut-link':
      of.link(gateway, node)?.cut();
      return true;
    case 'hold-link':
      await treat(of, step, { kind: 'hold' });
      return true;
    case 'drop-link':
      await treat(of, step, { kind: 'drop' });
      return true;
    case 'delay-link':
      await treat(of, step, DELAY);
      return true;
    default:
      return false;
  }
}

async function treat(
  of: Gateways,
  { gateway, node, direction, ms }: Step,
  treatment: Treatment,
): Promise<void> {
  const link = of.link(gateway, node);
  link?.treat(direction, treatment);
  await sleep(ms);
  link?.treat(direction, PASS);
}
