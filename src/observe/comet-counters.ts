/** What comet counts since the gateway started, and how it is now: plain numbers, an addition each. The report has other names for forms. */

import { type Durations, Histogram } from './histogram.js';
import type { Counts } from './sums.js';

/** By the form that events are written in: the plain stream has two, for HTTP/1.1 and 1.0. */
type ByForm = Record<'sse' | 'chunked' | 'raw' | 'socket' | 'poll', number>;
const byForm = (): ByForm => ({ sse: 0, chunked: 0, raw: 0, socket: 0, poll: 0 });

export class CometCounters {
  /** Pages that listen now, and those that ever began to. */
  readonly listeners = byForm();
  readonly opened = byForm();
  /** Messages for an id that came: of routers, of anybody to `any`, and by this gateway's own ways in. */
  readonly messages = { router: 0, any: 0, published: 0 };
  /** Messages that were written to a page: one for a hundred pages is a hundred. */
  deliveries = 0;
  /** Pages that were told that they have missed something. */
  gaps = 0;
  /** Questions for what is missing: of an id, and for a page that came with its place. */
  readonly replays = { hole: 0, page: 0 };
  /** Pages that were cut because they did not read. */
  slow_readers = 0;
  readonly dropped = {
    /** No page here listens to that id. */
    nobody: 0,
    /** It was here before. */
    double: 0,
    /** More than may wait for an id: what is dropped is asked for again. */
    queue: 0,
    /** What is none of the contract's terms. */
    unknown_shape: 0,
    /** A router's term of a node that is none, or for another one's origin. */
    stranger: 0,
    /** An event's name with a newline. */
    event_name: 0,
  };
  /** From a message's coming until the last page was written; from a page's question until it has its place. */
  readonly fanout = new Histogram();
  readonly opening = new Histogram();
}

/** `connecting`: no link; `asked`: it has not said that it takes logins; `welcome`: it has. */
export type RouterState = 'connecting' | 'asked' | 'welcome';

/** How it is now, where somebody has to look. */
export interface CometGauges {
  /** That somebody listens to here. */
  readonly ids: number;
  /** Of the gateway's own. */
  readonly ring: { readonly messages: number; readonly bytes: number };
  readonly routers: readonly {
    readonly node: string;
    readonly state: RouterState;
    /** The configuration, or a router, names it: without it something is missing. Any other node is told of once it is a router. */
    readonly named: boolean;
  }[];
}

export type RouterReport = {
  /** Of several processes, that of one which is not welcome. */
  readonly state: RouterState;
  /** Of how many processes of the gateway it is to take logins, and of how many it does. */
  readonly wanted: number;
  readonly welcome: number;
};

export type CometReport = {
  /** By transport. */
  readonly listeners: Counts;
  readonly opened: Counts;
  readonly ids: number;
  readonly messages: Counts;
  readonly deliveries: number;
  readonly gaps: number;
  readonly replays: Counts;
  readonly slow_readers: number;
  readonly dropped: Counts;
  readonly ring: Counts;
  readonly latency: Readonly<Record<string, Durations>>;
  readonly routers: Readonly<Record<string, RouterReport>>;
};

export function cometReport(counters: CometCounters, { ids, ring, routers }: CometGauges): CometReport {
  return {
    listeners: byTransport(counters.listeners),
    opened: byTransport(counters.opened),
    ids,
    messages: { ...counters.messages },
    deliveries: counters.deliveries,
    gaps: counters.gaps,
    replays: { ...counters.replays },
    slow_readers: counters.slow_readers,
    dropped: { ...counters.dropped },
    ring: { ...ring },
    latency: { fanout: counters.fanout.report(), opening: counters.opening.report() },
    routers: Object.fromEntries(
      routers
        .filter(({ named, state }) => named || state === 'welcome')
        .map(({ node, state }) => [node, { state, wanted: 1, welcome: Number(state === 'welcome') }]),
    ),
  };
}

const byTransport = ({ sse, chunked, raw, socket, poll }: ByForm): Counts => ({
  sse,
  stream: chunked + raw,
  poll,
  websocket: socket,
});
