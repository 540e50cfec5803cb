/** The part for comet, there where it is on: pages by transport, routers, and what was counted. */

import { find, Keyed, say } from './dom.js';
import { bytes, count, rate, seconds } from './format.js';
import { Plots } from './plots.js';
import { Recent } from './recent.js';
import { tableRow } from './tables.js';

/** @import { Columns } from './columns.js' */
/** @import { Plot } from './plots.js' */
/** @import { Cells, Told } from './tables.js' */
/** @import { RouterRow, Snapshot } from './types.js' */

/** @type {readonly Plot[]} */
const PLOTS = [
  {
    title: 'Pages that listen',
    tells: 'Over all transports; of polls those that wait',
    format: count,
    least: 4,
    figures: { comet_pages: 'to ids' },
  },
  {
    title: 'Ids',
    tells: 'That a page listens to',
    format: count,
    least: 4,
    figures: { comet_ids: 'with pages' },
  },
  {
    title: 'Messages to ids',
    tells: 'Of Erlang, and by the ways in from outside',
    format: rate,
    least: 2,
    figures: { comet_messages: 'that came' },
  },
  {
    title: 'Deliveries',
    tells: 'Messages written to a page',
    format: rate,
    least: 2,
    figures: { comet_deliveries: 'to pages' },
  },
  {
    title: 'Fan-out',
    tells: 'From a message to the last page it was written for; of ten seconds',
    format: seconds,
    least: 0.005,
    figures: { comet_fanout_p50: 'p50', comet_fanout_p99: 'p99' },
  },
];

/** @type {Readonly<Record<string, string>>} */
const TRANSPORTS = {
  sse: 'server-sent events',
  stream: 'plain stream',
  poll: 'polls',
  websocket: 'WebSocket',
};

/** @type {Readonly<Record<string, string>>} */
const COUNTS = {
  gaps: 'pages told that they missed something → rings too small, or pages away for long',
  slow_readers: 'pages cut because they did not read; they come back with their place',
  hole: 'questions for messages that did not come → links, or a gateway that is behind',
  page: 'questions for pages that came back',
  nobody: 'messages to an id without a page here',
  double: 'messages that were here before',
  queue: 'messages dropped as too many waited; asked for again',
  unknown_shape: 'terms that are no message → the log has their shapes',
  stranger: 'router’s terms that came from elsewhere',
  event_name: 'events with a newline in their name',
};

/** @type {Cells<RouterRow>} */
const ROUTER = [
  ['', ({ node }) => node],
  ['', stateOfRouter],
  ['figure', ({ welcome, wanted }) => `${count(welcome)} of ${count(wanted)}`],
];

/** @type {(router: RouterRow) => Told} */
function stateOfRouter({ state }) {
  if (state === 'welcome') return ['good', 'takes logins'];
  return ['bad', state === 'asked' ? 'does not answer' : 'not connected'];
}

/** @typedef {readonly [cause: string, lastMinute: number, all: number]} Counted */
/** @type {Cells<Counted>} */
const COUNTED = [
  ['', ([cause]) => cause],
  ['figure', ([, lastMinute]) => count(lastMinute)],
  ['figure', ([, , all]) => count(all)],
  ['text', ([cause]) => COUNTS[cause] ?? ''],
];

export class Comet {
  #recent = new Recent();
  #plots;
  /** @type {Keyed<RouterRow>} */
  #routers = new Keyed(find('#routers tbody'), () => tableRow('#routers', ROUTER));
  /** @type {Keyed<Counted>} */
  #counted = new Keyed(find('#comet-counts tbody'), () => tableRow('#comet-counts', COUNTED));

  /** @param {Columns} columns */
  constructor(columns) {
    this.#plots = new Plots(find('#comet-plots'), columns, PLOTS);
  }

  /** @param {Snapshot} snapshot */
  add({ at, gateway, comet }) {
    this.#recent.add(at, gateway.uptime_seconds, comet?.counts ?? {});
  }

  get lastMinute() {
    return this.#recent.lastMinute;
  }

  /** @param {Snapshot} snapshot */
  draw({ comet }) {
    find('#comet').hidden = comet === undefined;
    if (comet === undefined) return;
    this.#plots.draw();
    const pages = Object.entries(comet.listeners).map(([by, n]) => `${count(n)} ${TRANSPORTS[by] ?? by}`);
    say(find('#comet-pages'), `${pages.join(' · ')} · own ring ${bytes(comet.ring.bytes)}`);
    this.#routers.show(comet.routers.map((router) => [router.node, router]));
    find('#routers').hidden = comet.routers.length === 0;
    const counted = Object.entries(comet.counts).filter(([, all]) => all > 0);
    this.#counted.show(counted.map(([cause, all]) => [cause, [cause, this.lastMinute.get(cause) ?? 0, all]]));
    find('#comet-counts').hidden = counted.length === 0;
  }
}
