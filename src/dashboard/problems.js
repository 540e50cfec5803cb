/** What is wrong, and what mends it: of one snapshot, and of what was just before. The worst first. */

import { problemsOfComet } from './comet-problems.js';
import { count, percent, seconds, span } from './format.js';
import { REFUSALS } from './refusals.js';

/** @import { NodeRow, Snapshot } from './types.js' */
/** @import { Columns } from './columns.js' */

/** What lasts for less is no problem yet. */
const LASTING_SECONDS = 5;
const LATE_SECONDS = 0.1;
const BUSY_CORES = 0.95;
const QUEUED_BYTES = 8e6;
/** Who renews them by program does it earlier. */
const ENDS_SOON_SECONDS = 14 * 86_400;

/** Refusals that are no fault of who asked; of strangers there are always some. */
const FELT = ['overload', 'busy', 'full', 'no_node', 'node_lost', 'receiving'];

/**
 * @typedef {object} Problem
 * @property {'bad' | 'warn'} level `bad`: clients notice
 * @property {string} what
 * @property {string} mend empty where nobody needs to do anything
 */

/** @type {(what: string, mend?: string) => Problem} */
const bad = (what, mend = '') => ({ level: 'bad', what, mend });
/** @type {(what: string, mend?: string) => Problem} */
const warn = (what, mend = '') => ({ level: 'warn', what, mend });

/**
 * @param {Snapshot} snapshot
 * @param {Pick<Columns, 'least'>} columns with this snapshot
 * @param {ReadonlyMap<string, number>} refused in the last minute, by cause
 * @param {ReadonlyMap<string, number>} [ofComet] what comet counted in the last minute
 * @returns {readonly Problem[]}
 */
export function problemsOf(snapshot, columns, refused, ofComet = new Map()) {
  const { gateway, nodes, workers, comet } = snapshot;
  const found = [
    ...ofGateway(gateway.state),
    // With comet a gateway may be there for pages alone.
    ...(nodes.some(({ in_service }) => in_service) || (comet && nodes.length === 0)
      ? []
      : [bad(...noNode(nodes.length))]),
    ...nodes.flatMap(ofNode),
    ...workers
      .filter(({ up }) => !up)
      .map(({ name }) =>
        bad(
          `The process ${name} does not run, or does not answer.`,
          'It is replaced by itself; the log says why it died.',
        ),
      ),
    ...workers
      .filter(() => columns.least('cpu', LASTING_SECONDS) > BUSY_CORES)
      .filter(({ cpu }) => cpu !== null && cpu > BUSY_CORES)
      .map(({ name, cpu }) =>
        warn(
          `The process ${name} is at its limit: ${percent(cpu)} of a core.`,
          'Set workers: auto, or add a gateway.',
        ),
      ),
    ...Object.entries(gateway.certificate_ends).flatMap(([use, end]) =>
      ofCertificate(use, end - snapshot.at),
    ),
    ...(comet ? problemsOfComet(comet, workers, ofComet) : []),
    ...ofFigures(columns),
    ...[...refused]
      .filter(([cause]) => FELT.includes(cause))
      .map(([cause, times]) => ofRefusal(cause, times)),
  ];
  return [...found.filter(({ level }) => level === 'bad'), ...found.filter(({ level }) => level === 'warn')];
}

/**
 * @param {string} state
 * @returns {Problem[]}
 */
function ofGateway(state) {
  if (state === 'draining')
    return [warn('The gateway drains: its clients are sent elsewhere.', '“Resume” takes it back.')];
  if (state === 'drained')
    return [warn('The gateway is drained: new clients are to go elsewhere.', '“Resume” takes it back.')];
  if (state === 'stopping') return [warn('The gateway stops.')];
  return [];
}

/**
 * @param {string} use
 * @param {number} left seconds
 * @returns {Problem[]}
 */
function ofCertificate(use, left) {
  if (left > ENDS_SOON_SECONDS) return [];
  const which = `The certificate for ${use === 'https' ? 'clients' : 'Erlang nodes'}`;
  const mend = 'Renew it, and have the gateway read it: SIGHUP, or systemctl reload megaphone.';
  return [left > 0 ? warn(`${which} ends in ${span(left)}.`, mend) : bad(`${which} has ended.`, mend)];
}

/**
 * @param {number} known
 * @returns {[what: string, mend: string]}
 */
const noNode = (known) => [
  'No ejabberd node is in service: clients hear 503.',
  known === 0 ? 'Name one in nodes.' : 'What mends it stands with each node.',
];

/**
 * @param {NodeRow} row
 * @returns {Problem[]}
 */
function ofNode({ node, in_service, state, reason, mend, leaving, takes_sessions, weight, link, exhausted }) {
  if (!in_service) {
    // Most reasons name it.
    const what = reason.includes(node) ? `Out of service: ${reason}` : `${node} is out of service: ${reason}`;
    return leaving ? [] : [bad(`${what}.`, mend)];
  }
  const missing = link.wanted - link.up;
  return [
    ...(missing > 0
      ? [
          warn(
            `${count(missing)} of ${count(link.wanted)} processes do not reach ${node}.`,
            reason === '' ? 'The log says why.' : `${reason}. ${mend}`,
          ),
        ]
      : []),
    ...(exhausted > 0
      ? [
          warn(
            `${node} is behind: it is sent nothing more until it has taken what it was sent.`,
            'Look at its processor time, memory and network.',
          ),
        ]
      : []),
    ...(state === 'draining'
      ? [
          warn(
            `${node} drains: its sessions go to other nodes.`,
            'ejabberdctl megaphone_drain_status tells how far it is, megaphone_drain_abort takes it back.',
          ),
        ]
      : []),
    ...(state === 'stopping' ? [warn(`${node} stops.`)] : []),
    ...(state === 'in_service' && !takes_sessions && !leaving
      ? [warn(`${node} takes no new sessions.`, whyNone(weight))]
      : []),
  ];
}

/** @param {number} weight */
const whyNone = (weight) =>
  weight === 0
    ? 'Its weight is 0: an option of mod_megaphone there.'
    : 'It is full: max_unauthenticated of the module, memory and processes of ejabberd.';

/**
 * @param {Pick<Columns, 'least'>} columns
 * @returns {Problem[]}
 */
function ofFigures(columns) {
  const late = columns.least('event_loop_delay', LASTING_SECONDS);
  const queued = columns.least('link_queue_bytes', LASTING_SECONDS);
  return [
    ...(late > LATE_SECONDS
      ? [
          warn(
            `The gateway is late by ${seconds(late)}: its machine, or one of its processes, has too much to do.`,
            'Set workers: auto, or add a gateway.',
          ),
        ]
      : []),
    ...(queued > QUEUED_BYTES
      ? [
          warn(
            'ejabberd does not read what it is sent as fast as it comes.',
            'Look at its processor time, and at the network between.',
          ),
        ]
      : []),
  ];
}

/**
 * @param {string} cause
 * @param {number} times
 */
function ofRefusal(cause, times) {
  const [what, mend] = REFUSALS[cause] ?? [cause, ''];
  return warn(`${count(times)} refused in the last minute: ${what}.`, mend);
}
