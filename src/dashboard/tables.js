/** The tables of the overview: nodes, processes, refusals, and the last lines of the log. */

import { element, find, Keyed, say } from './dom.js';
import { byteRate, bytes, clock, count, percent, seconds } from './format.js';
import { REFUSALS } from './refusals.js';

/** @import { NodeRow, Snapshot, Warning, WorkerRow } from './types.js' */

/**
 * What a cell says. A state has a level, which is a sign beside its colour.
 * @typedef {string | readonly [level: 'good' | 'warn' | 'bad' | 'wait', text: string]} Told
 */
/**
 * @template T
 * @typedef {readonly (readonly [classes: string, tell: (item: T) => Told])[]} Cells the first is the row's head
 */

/**
 * @template T
 * @param {string} table whose heads name the cells again, where it is too narrow for columns
 * @param {Cells<T>} cells
 */
export function tableRow(table, cells) {
  const heads = find(table).querySelectorAll('thead th');
  const made = cells.map(([classes, tell], at) => {
    const head = heads[at]?.textContent ?? '';
    const cell =
      at === 0 ? element('th', { scope: 'row' }) : element('td', { class: classes, 'data-head': head });
    return { cell, tell };
  });
  return {
    node: element('tr', {}, ...made.map(({ cell }) => cell)),
    /** @param {T} item */
    fill(item) {
      for (const { cell, tell } of made) sayIn(cell, tell(item));
    },
  };
}

/**
 * @param {HTMLElement} cell
 * @param {Told} told
 */
function sayIn(cell, told) {
  if (typeof told === 'string') return say(cell, told);
  const [level, text] = told;
  const state = cell.querySelector('span') ?? cell.appendChild(element('span'));
  state.className = `state ${level}`;
  say(state, text);
}

/** @type {Cells<NodeRow>} */
const NODE = [
  ['', ({ node }) => node],
  ['', stateOfNode],
  ['', stateOfLink],
  ['', ({ link }) => link.tls || (link.up > 0 ? 'none' : '–')],
  ['figure', ({ sessions, in_service }) => count(in_service ? sessions : null)],
  ['figure', ({ credit, in_service }) => count(in_service ? credit : null)],
  ['figure', ({ requests_on_the_way }) => count(requests_on_the_way)],
  ['figure', ({ requests_waiting }) => count(requests_waiting)],
  ['figure', ({ link }) => bytes(link.queued_bytes)],
  ['figure full', ({ delay_p50, delay_p99 }) => `${seconds(delay_p50)} · ${seconds(delay_p99)}`],
  ['figure full', ({ link }) => `${byteRate(link.bytes_out)} · ${byteRate(link.bytes_in)}`],
];

/** @type {(node: NodeRow) => Told} */
function stateOfNode({ in_service, state, takes_sessions, leaving }) {
  if (leaving) return ['wait', 'left the cluster'];
  if (!in_service) return ['bad', 'out of service'];
  if (state === 'draining') return ['warn', 'drains'];
  if (state === 'stopping') return ['warn', 'stops'];
  return takes_sessions ? ['good', 'in service'] : ['warn', 'no new sessions'];
}

/** @type {(node: NodeRow) => Told} */
function stateOfLink({ link: { up, wanted } }) {
  if (up === 0) return ['bad', 'down'];
  return [up < wanted ? 'warn' : 'good', wanted > 1 ? `${up} of ${wanted}` : 'up'];
}

/** A table's body for each node: beneath its figures what takes it out of service, and what mends it. */
function nodeRows() {
  const figures = tableRow('#nodes', NODE);
  const reason = element('b');
  const mend = element('span', { class: 'mend' });
  const why = element(
    'tr',
    { class: 'why' },
    element('td', { colspan: `${NODE.length}` }, reason, ' ', mend),
  );
  return {
    node: element('tbody', {}, figures.node, why),
    /** @param {NodeRow} item */
    fill(item) {
      figures.fill(item);
      why.hidden = item.reason === '';
      say(reason, item.reason);
      say(mend, item.mend);
    },
  };
}

/** @type {Cells<WorkerRow>} */
const WORKER = [
  ['', ({ name }) => name],
  ['', ({ up }) => (up ? ['good', 'runs'] : ['bad', 'does not run'])],
  ['figure', ({ pid }) => (pid > 0 ? `${pid}` : '–')],
  ['figure', ({ cpu }) => percent(cpu)],
  ['figure', ({ memory_bytes }) => bytes(memory_bytes)],
  ['figure', ({ event_loop_delay }) => seconds(event_loop_delay)],
  ['figure', ({ restarts }) => count(restarts)],
];

/** @typedef {readonly [cause: string, lastMinute: number, all: number]} Refusal */
/** @type {Cells<Refusal>} */
const REFUSED = [
  ['', ([cause]) => cause],
  ['figure', ([, lastMinute]) => count(lastMinute)],
  ['figure', ([, , all]) => count(all)],
  ['text', ([cause]) => (REFUSALS[cause] ?? []).join(' → ')],
];

function warningLine() {
  const time = element('time');
  const level = element('span');
  const text = element('span', { class: 'text' });
  const hint = element('span', { class: 'mend' });
  return {
    node: element('li', {}, time, level, element('span', {}, text, ' ', hint)),
    /** @param {Warning} warning */
    fill(warning) {
      const from = warning.worker ? `${warning.worker}: ` : '';
      say(time, clock(warning.at));
      level.className = `state ${warning.level === 'warn' ? 'warn' : 'bad'}`;
      say(level, warning.code ?? warning.level);
      say(text, `${from}${warning.text}`);
      say(hint, warning.hint ?? '');
    },
  };
}

export class Tables {
  /** @type {Keyed<NodeRow>} */
  #nodes = new Keyed(find('#nodes'), nodeRows);
  /** @type {Keyed<WorkerRow>} */
  #workers = new Keyed(find('#workers tbody'), () => tableRow('#workers', WORKER));
  /** @type {Keyed<Refusal>} */
  #refused = new Keyed(find('#refused tbody'), () => tableRow('#refused', REFUSED));
  /** @type {Keyed<Warning>} */
  #warnings = new Keyed(find('#warnings'), warningLine);

  /**
   * @param {Snapshot} snapshot
   * @param {ReadonlyMap<string, number>} lastMinute refused, by cause
   */
  show({ nodes, workers, refused, warnings }, lastMinute) {
    this.#nodes.show(nodes.map((node) => [node.node, node]));
    this.#workers.show(workers.map((worker) => [worker.name, worker]));
    const causes = Object.entries(refused).filter(([, all]) => all > 0);
    causes.sort(([a, x], [b, y]) => (lastMinute.get(b) ?? 0) - (lastMinute.get(a) ?? 0) || y - x);
    this.#refused.show(causes.map(([cause, all]) => [cause, [cause, lastMinute.get(cause) ?? 0, all]]));
    toggle('#refused', causes.length);
    this.#warnings.show(
      warnings.map((line) => /** @type {const} */ ([`${line.at} ${line.text}`, line])).reverse(),
    );
    toggle('#warnings', warnings.length);
  }
}

/**
 * The one with something in it, or the one that says that there is nothing.
 * @param {string} selector
 * @param {number} amount
 */
function toggle(selector, amount) {
  find(selector).hidden = amount === 0;
  find(`${selector}-none`).hidden = amount !== 0;
}
