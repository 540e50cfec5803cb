/** The plots: one card for each, its figures beside its title. Where the pointer is in one, all show what was at that time. */

import { Columns, KEPT_SECONDS } from './columns.js';
import { element, say } from './dom.js';
import { brief, byteRate, bytes, clock, count, percent, rate, seconds } from './format.js';

/** @import { Format } from './format.js' */

/**
 * @typedef {object} Plot
 * @property {string} title
 * @property {string} tells more
 * @property {Format} format
 * @property {number} least the scale goes to this at least
 * @property {Readonly<Record<string, string>>} figures what each is called
 */

/** @type {readonly Plot[]} */
const PLOTS = [
  {
    title: 'Sessions',
    tells: 'Of all gateways, as the ejabberd nodes say',
    format: count,
    least: 4,
    figures: { sessions: 'on all nodes' },
  },
  {
    title: 'Connections',
    tells: 'Of clients to this gateway',
    format: count,
    least: 4,
    figures: { connections: 'all', websockets: 'WebSocket' },
  },
  {
    title: 'Requests held',
    tells: 'They wait until there is something to say',
    format: count,
    least: 4,
    figures: { held_requests: 'BOSH' },
  },
  {
    title: 'Messages',
    tells: 'Requests of BOSH and their answers, frames of WebSockets',
    format: rate,
    least: 2,
    figures: { messages_in: 'from clients', messages_out: 'to clients' },
  },
  {
    title: 'Traffic',
    tells: 'Bytes of these messages',
    format: byteRate,
    least: 1000,
    figures: { bytes_in: 'from clients', bytes_out: 'to clients' },
  },
  {
    title: 'Answer latency',
    tells: 'From a request to ejabberd’s answer, where that is not held; of ten seconds',
    format: seconds,
    least: 0.005,
    figures: { latency_p50: 'p50', latency_p90: 'p90', latency_p99: 'p99' },
  },
  {
    title: 'Processor',
    tells: 'All processes of the gateway',
    format: percent,
    least: 0.1,
    figures: { cpu: 'of one core' },
  },
  {
    title: 'Memory',
    tells: 'All processes of the gateway',
    format: bytes,
    least: 1e6,
    figures: { memory_bytes: 'resident' },
  },
  {
    title: 'Event-loop delay',
    tells: 'How late the gateway comes to what is due',
    format: seconds,
    least: 0.005,
    figures: { event_loop_delay: 'p99' },
  },
  {
    title: 'Link queues',
    tells: 'Bytes that wait until ejabberd nodes read them',
    format: bytes,
    least: 1000,
    figures: { link_queue_bytes: 'to ejabberd' },
  },
];

const HEIGHT = 112;
const FONT = '10px system-ui, sans-serif';
/** The plots begin with this, and reach ten minutes as time goes by. */
const SHORTEST_SECONDS = 60;

export class Plots {
  #columns;
  /** @type {ReturnType<typeof card>[]} */
  #cards;

  /**
   * @param {HTMLElement} parent
   * @param {Columns} columns
   * @param {readonly Plot[]} [plots]
   */
  constructor(parent, columns, plots = PLOTS) {
    this.#columns = columns;
    this.#cards = plots.map((plot) => card(plot, parent, columns));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      for (const { chart } of this.#cards) chart.redraw(false);
    });
    // All have the same width; none while another page is shown.
    new ResizeObserver(() => {
      const width = this.#cards[0]?.area.clientWidth ?? 0;
      if (width > 0) for (const { chart } of this.#cards) chart.setSize({ width, height: HEIGHT });
    }).observe(parent);
  }

  draw() {
    const { at } = this.#columns;
    for (const { chart, names } of this.#cards)
      chart.setData([at, ...names.map((name) => this.#columns.of(name))]);
  }
}

/**
 * @param {Plot} plot
 * @param {HTMLElement} parent
 * @param {Columns} columns
 */
function card({ title, tells, format, least, figures }, parent, columns) {
  const names = Object.keys(figures);
  const isOne = names.length === 1;
  const values = names.map(() => element('b'));
  const labels = Object.values(figures).map((label, at) =>
    element('span', { class: isOne ? '' : `series s${at}` }, label),
  );
  const when = element('span', { class: 'when' });
  const area = element('div', { class: 'area', role: 'img', 'aria-label': `${title}, the last minutes` });
  const items = values.map((value, at) => element('li', {}, value, labels[at] ?? ''));
  const list = element('ul', { class: 'values' }, ...items);
  const head = element('h3', {}, title, when);
  parent.append(element('section', { class: 'card plot', title: tells }, head, list, area));
  /** @param {number | null | undefined} at a row; none: the last */
  const show = (at) => {
    say(when, at == null ? '' : clock(columns.at[at] ?? 0));
    names.forEach((name, i) => {
      const column = columns.of(name);
      say(/** @type {Node} */ (values[i]), format(column[at ?? column.length - 1]));
    });
  };
  /** @type {uPlot.Options} */
  const options = {
    width: 220,
    height: HEIGHT,
    padding: [6, 13, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 }, sync: { key: 'time' } },
    scales: {
      x: { range: (_, from, to) => [Math.min(to - SHORTEST_SECONDS, Math.max(from, to - KEPT_SECONDS)), to] },
      y: { range: (_, __, most) => [0, 1.15 * Math.max(least, most ?? 0)] },
    },
    axes: [
      {
        ...axis(),
        size: 22,
        gap: 4,
        space: 60,
        values: (_, times) => times.map((time) => clock(time).slice(0, 5)),
        incrs: [60, 120, 300, 600],
      },
      {
        ...axis(),
        size: 36,
        gap: 3,
        space: 26,
        values: (_, marks) => marks.map((mark) => short(format, mark)),
      },
    ],
    series: [
      {},
      ...names.map((_, at) => ({
        stroke: () => colour(`--s${at}`),
        ...(isOne ? { fill: () => colour('--fill') } : {}),
        width: 1.5,
        points: { show: false },
      })),
    ],
    hooks: {
      setCursor: [(chart) => show(chart.cursor.idx)],
      setData: [(chart) => show((chart.cursor.left ?? -1) < 0 ? null : chart.cursor.idx)],
    },
  };
  return { names, area, chart: new uPlot(options, [[], ...names.map(() => [])], area) };
}

const axis = () => ({
  font: FONT,
  stroke: () => colour('--quiet'),
  grid: { stroke: () => colour('--grid'), width: 1 },
  ticks: { show: false },
});

/** @param {string} name */
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

/**
 * @param {Format} format
 * @param {number} mark
 */
function short(format, mark) {
  if (format === seconds) return mark >= 1 ? `${brief(mark)}s` : `${brief(1000 * mark)}ms`;
  if (format === percent) return `${brief(100 * mark)}%`;
  return brief(mark);
}
