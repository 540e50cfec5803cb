/** Comet's part of several workers' statistics as one gateway's: see totals.ts. */

import type { CometReport, RouterReport } from './comet-counters.js';
import { addCounts, merge } from './sums.js';

export function addComet(a: CometReport | undefined, b: CometReport | undefined): CometReport | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return {
    listeners: addCounts(a.listeners, b.listeners),
    opened: addCounts(a.opened, b.opened),
    // An id may have pages at several.
    ids: a.ids + b.ids,
    messages: addCounts(a.messages, b.messages),
    deliveries: a.deliveries + b.deliveries,
    gaps: a.gaps + b.gaps,
    replays: addCounts(a.replays, b.replays),
    slow_readers: a.slow_readers + b.slow_readers,
    dropped: addCounts(a.dropped, b.dropped),
    ring: addCounts(a.ring, b.ring),
    latency: merge(a.latency, b.latency, addCounts),
    routers: merge(a.routers, b.routers, addRouter),
  };
}

/** What a dead worker leaves: nobody listens there any more, and no router has it. */
export function retireComet(last: CometReport | undefined): CometReport | undefined {
  if (last === undefined) return undefined;
  const none = Object.fromEntries(Object.keys(last.listeners).map((transport) => [transport, 0]));
  return { ...last, listeners: none, ids: 0, ring: { messages: 0, bytes: 0 }, routers: {} };
}

const addRouter = (a: RouterReport, b: RouterReport): RouterReport => ({
  state: a.state === 'welcome' ? b.state : a.state,
  wanted: a.wanted + b.wanted,
  welcome: a.welcome + b.welcome,
});
