/** What the nemesis does and in which order: the same for the same seed. No socket, no process, no clock. */

import { randomNumbers } from '../load/schedule.js';
import type { Loss } from './history.js';
import { DIRECTIONS, type Direction } from './link.js';

/** How often of all, in proportion. */
const GATEWAYS = {
  'kill-gateway': 4,
  'stop-gateway': 1,
  'freeze-gateway': 1,
  'kill-worker': 4,
};
const LINKS = {
  'cut-link': 6,
  'disconnect-link': 2,
  'hold-link': 1,
  'drop-link': 2,
  'delay-link': 1,
};
const NODES = {
  'kill-node': 1,
  'stop-node': 1,
  'freeze-node': 1,
};

/** Between two ejabberd nodes. */
const PARTITIONS = {
  'hold-peers': 2,
  'delay-peers': 1,
  'split-nodes': 1,
};

/** Of pages that listen to ids (docs/comet.md). */
const PAGES = { 'move-pages': 4 };
const ROUTERS = { 'kill-router': 4 };
/** Takes along what it sent: the ring. */
const ORIGINS = { 'kill-node': 1 };

/** What takes no time. */
const KILLS = { 'kill-gateway': 4, 'kill-worker': 4, 'cut-link': 6, 'disconnect-link': 2, 'drop-link': 2 };

/** What an operator does. */
const RESTARTS = { 'restart-gateway': 1 };

/** Those that may be asked for together. */
export const GROUPS = {
  gateways: GATEWAYS,
  links: LINKS,
  nodes: NODES,
  partitions: PARTITIONS,
  kills: KILLS,
  restarts: RESTARTS,
  pages: PAGES,
  routers: ROUTERS,
  origins: ORIGINS,
} as const;
export type Group = keyof typeof GROUPS;
export type Fault =
  | keyof typeof GATEWAYS
  | keyof typeof LINKS
  | keyof typeof NODES
  | keyof typeof PARTITIONS
  | keyof typeof PAGES
  | keyof typeof ROUTERS
  | keyof typeof RESTARTS;

export interface Step {
  readonly fault: Fault;
  /** Numbers from 1 on; of interest where the fault is about one. */
  readonly gateway: number;
  readonly node: number;
  /** Another node; 0 where the fault is not about two. */
  readonly peer: number;
  readonly worker: number;
  readonly direction: Direction;
  /** How long it lasts, where it does; also how long something is away before it is started again. */
  readonly ms: number;
  /** Behind its end, before the next. */
  readonly pauseMs: number;
}

export interface Size {
  readonly gateways: number;
  readonly nodes: number;
}

/** Milliseconds: at least, and at most. */
const LASTS: { readonly [F in Fault]?: readonly [number, number] } = {
  'kill-gateway': [0, 500],
  'freeze-gateway': [500, 4_000],
  'hold-link': [500, 6_000],
  'drop-link': [50, 1_500],
  'delay-link': [1_000, 4_000],
  'kill-node': [0, 3_000],
  'freeze-node': [500, 4_000],
  'hold-peers': [500, 10_000],
  'delay-peers': [1_000, 4_000],
  'split-nodes': [0, 5_000],
  'move-pages': [0, 8_000],
};
const PAUSE: readonly [number, number] = [0, 400];

/** Without end. */
export function* plan(
  seed: number,
  groups: readonly Group[],
  { gateways, nodes }: Size,
): Generator<Step, never> {
  const random = randomNumbers(seed);
  const below = (count: number): number => Math.floor(random() * count);
  const between = ([least, most]: readonly [number, number]): number => least + below(most - least + 1);
  const weights = groups.flatMap((group) => Object.entries(GROUPS[group]) as [Fault, number][]);
  const all = weights.reduce((sum, [, weight]) => sum + weight, 0);
  const pick = (): Fault => {
    let left = below(all);
    const [fault] = weights.find(([, weight]) => {
      left -= weight;
      return left < 0;
    }) as [Fault, number];
    return fault;
  };
  for (;;) {
    const fault = pick();
    const gateway = 1 + below(gateways);
    const node = 1 + below(nodes);
    yield {
      fault,
      gateway,
      node,
      peer: fault in PARTITIONS ? 1 + ((node + below(nodes - 1)) % nodes) : 0,
      worker: below(100),
      direction: DIRECTIONS[below(DIRECTIONS.length)] as Direction,
      ms: between(LASTS[fault] ?? [0, 0]),
      pauseMs: between(PAUSE),
    };
  }
}

const DELAY_MS = 100;

export const lossOf = ({ fault }: Step): Loss =>
  fault === 'kill-node' ? 'memory' : fault === 'split-nodes' ? 'storage' : 'nothing';

/** For people. */
export function tell({ fault, gateway, node, peer, worker, direction, ms }: Step): string {
  const link = `the link from gateway ${gateway} to node ${node}`;
  const way = direction === 'both' ? 'both ways' : direction === 'there' ? 'to the node' : 'to the gateway';
  const between = `what goes between nodes ${node} and ${peer}`;
  const onWay = direction === 'both' ? 'both ways' : `to node ${direction === 'there' ? peer : node}`;
  switch (fault) {
    case 'kill-gateway':
      return `kill gateway ${gateway}, away for ${ms} ms`;
    case 'stop-gateway':
      return `stop gateway ${gateway}`;
    case 'freeze-gateway':
      return `freeze gateway ${gateway} for ${ms} ms`;
    case 'restart-gateway':
      return `restart gateway ${gateway}`;
    case 'kill-worker':
      return `kill worker ${worker} of gateway ${gateway}`;
    case 'cut-link':
      return `cut ${link}`;
    case 'disconnect-link':
      return `have node ${node} disconnect gateway ${gateway}`;
    case 'hold-link':
      return `hold ${link}, ${way}, for ${ms} ms`;
    case 'drop-link':
      return `drop what goes over ${link}, ${way}, for ${ms} ms, then cut it`;
    case 'delay-link':
      return `delay ${link}, ${way}, by ${DELAY_MS} ms for ${ms} ms`;
    case 'kill-node':
      return `kill node ${node}, away for ${ms} ms`;
    case 'stop-node':
      return `stop node ${node}`;
    case 'freeze-node':
      return `freeze node ${node} for ${ms} ms`;
    case 'hold-peers':
      return `hold ${between}, ${onWay}, for ${ms} ms`;
    case 'delay-peers':
      return `delay ${between}, ${onWay}, by ${DELAY_MS} ms for ${ms} ms`;
    case 'move-pages':
      return `have a third of the pages leave, and come back elsewhere after ${ms} ms`;
    case 'kill-router':
      return `kill the router's processes of node ${node}`;
    case 'split-nodes':
      return `cut ${between} for ${ms} ms, then restart all but node ${peer}`;
  }
}

export const DELAY = { kind: 'delay', ms: DELAY_MS } as const;
