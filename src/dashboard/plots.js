/** The plots: one card for each, its figures beside its title. Where the pointer is in one, all show what was at that time. */

import { Columns, KEPT_SECONDS } from './columns.js';
import { element, say } from './dom.js';
import { brief, byteRate, bytes, clock, count, percent, rate, seconds } from './format.js';

/** @import { Format } from './format.js' */

/**
 * @typedef {object} Series
 * @property {string} name of the figure
 * @property {string} [label] where there are several
 */
/**
 * @typedef {object} Plot
 * @property {string} title
 * @property {string} tells more
 * @property {Format} format
 * @property {number} least the scale goes to this at least
 * @property {readonly Series[]} series
 */

/** @type {readonly Plot[]} */
export const PLOTS = [
  {
    title: 'Sessions',
    tells: 'Sessions on all ejabberd nodes, those of other gateways, too',
    format: count,
    least: 4,
    series: [{ name: 'sessions' }],
  },
  {
    title: 'Connections',
    tells: 'Connections of clients to this gateway, and of them WebSockets',
    format: count,
    least: 4,
    series: [
      { name: 'connections', label: 'all' },
      { name: 'websockets', label: 'WebSocket' },
    ],
  },
  {
    title: 'Requests held',
    tells: 'BOSH requests that wait until there is something to say',
    format: count,
    least: 4,
    series: [{ name: 'held_requests' }],
  },
  {
    title: 'Messages',
    tells: 'Requests and frames of clients, answers and frames to them',
    format: rate,
    least: 2,
    series: [
      { name: 'messages_in', label: 'in' },
      { name: 'messages_out', label: 'out' },
    ],
  },
  {
    title: 'Traffic',
    tells: 'Bytes of what clients send, and of what they are sent',
    format: byteRate,
    least: 1000,
    series: [
      { name: 'bytes_in', label: 'in' },
      { name: 'bytes_out', label: 'out' },
    ],
  },
  {
    title: 'Answer latency',
    tells: 'From a request to ejabberd’s answer, where that is not held; of the last ten seconds',
    format: seconds,
    least: 0.005,
    series: [
      { name: 'latency_p50', label: 'p50' },
      { name: 'latency_p90', label: 'p90' },
      { name: 'latency_p99', label: 'p99' },
    ],
  },
  {
    title: 'Processor',
    tells: 'All processes of the gateway; 100 % is one core',
    format: percent,
    least: 0.1,
    series: [{ name: 'cpu' }],
  },
  {
    title: 'Memory',
    tells: 'Resident memory of all processes of the gateway',
    format: bytes,
    least: 1e6,
    series: [{ name: 'memory_bytes' }],
  },
  {
    title: 'Event-loop delay',
    tells: 'How late the gateway comes to what is due: 99 % of looks of a second are below this',
    format: seconds,
    least: 0.005,
    series: [{ name: 'event_loop_delay' }],
  },
  {
    title: 'Link queues',
    tells: 'Bytes that wait until ejabberd nodes read them',
    format: bytes,
    least: 1000,
    series: [{ name: 'link_queue_bytes' }],
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
   */
  constructor(parent, columns) {
    this.#columns = columns;
    this.#cards = PLOTS.map((plot) => card(plot, parent, columns));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      for (const { chart } of this.#cards) chart.redraw(false);
    });
    // All have the same width.
    new ResizeObserver(() => {
      for (const { chart, area } of this.#cards)
        if (area.clientWidth > 0) chart.setSize({ width: area.clientWidth, height: HEIGHT });
    }).observe(parent);
  }

  draw() {
    for (const { plot, chart } of this.#cards) {
      const columns = plot.series.map(({ name }) => this.#columns.of(name));
      chart.setData([this.#columns.at, ...columns]);
    }
  }
}

/**
 * @param {Plot} plot
 * @param {HTMLElement} parent
 * @param {Columns} columns
 */
function card(plot, parent, columns) {
  const values = plot.series.map(({ label = '' }, at) => {
    const value = element('b', {}, '–');
    const name = label === '' ? [] : [element('span', { class: `series s${at}` }, label)];
    return { value, node: element('li', {}, value, ...name) };
  });
  const when = element('span', { class: 'when' });
  const title = element('h3', {}, plot.title, when);
  const area = element('div', {
    class: 'area',
    role: 'img',
    'aria-label': `${plot.title} of the last ten minutes`,
  });
  parent.append(
    element(
      'section',
      { class: 'card plot', title: plot.tells },
      title,
      element('ul', { class: `values v${values.length}` }, ...values.map(({ node }) => node)),
      area,
    ),
  );
  /** @param {number | null | undefined} at a row; none: the last */
  const show = (at) => {
    say(when, at == null ? '' : clock(columns.at[at] ?? 0));
    values.forEach(({ value }, i) => {
      const column = columns.of(plot.series[i]?.name ?? '');
      say(value, plot.format(column[at ?? column.length - 1]));
    });
  };
  /** @type {uPlot.Options} */
  const options = {
    width: 220,
    height: HEIGHT,
    padding: [6, 6, 0, 0],
    legend: { show: false },
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 }, sync: { key: 'time' } },
    scales: {
      x: { range: (_, from, to) => [Math.min(to - SHORTEST_SECONDS, Math.max(from, to - KEPT_SECONDS)), to] },
      y: { range: (_, __, most) => [0, 1.15 * Math.max(plot.least, most ?? 0)] },
    },
    axes: [
      {
        ...axis(),
        size: 20,
        gap: 2,
        space: 60,
        values: (_, times) => times.map((time) => clock(time).slice(0, 5)),
        incrs: [30, 60, 120, 300, 600],
      },
      {
        ...axis(),
        size: 36,
        gap: 3,
        space: 26,
        values: (_, marks) => marks.map((mark) => short(plot.format, mark)),
      },
    ],
    series: [
      {},
      ...plot.series.map((_, at) => ({
        stroke: () => colour(`--s${at}`),
        ...(plot.series.length === 1 ? { fill: () => colour('--fill') } : {}),
        width: 1.5,
        points: { show: false },
      })),
    ],
    hooks: {
      setCursor: [(chart) => show(chart.cursor.idx)],
      setData: [(chart) => show((chart.cursor.left ?? -1) < 0 ? null : chart.cursor.idx)],
    },
  };
  return { plot, area, chart: new uPlot(options, [[], ...plot.series.map(() => [])], area) };
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
