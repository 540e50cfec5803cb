/** What is wrong with comet, and what mends it: see problems.js. */

import { count } from './format.js';

/** @import { Comet, WorkerRow } from './types.js' */
/** @import { Problem } from './problems.js' */

/**
 * @param {Comet} comet
 * @param {readonly WorkerRow[]} processes of the gateway
 * @param {ReadonlyMap<string, number>} counted in the last minute
 * @returns {Problem[]}
 */
export function problemsOfComet({ routers }, processes, counted) {
  const pages = processes.filter(({ name }) => name !== 'primary').length;
  const isWithout = pages > 1 && !routers.some(({ welcome }) => welcome > 0);
  return [
    ...(isWithout
      ? [
          bad(
            'Comet has no router, and several workers: a message reaches the pages of one of them alone.',
            'Start megaphone_comet on a node of nodes or comet_nodes, or set workers: 1.',
          ),
        ]
      : []),
    ...routers
      .filter(({ welcome, wanted }) => welcome < wanted)
      .map(({ node, state, welcome, wanted }) => {
        const where =
          welcome > 0 ? `${count(wanted - welcome)} of ${count(wanted)} processes` : 'this gateway';
        return bad(
          `The router of ${node} does not take the logins of ${where}: what is sent there comes late, or as a gap.`,
          state === 'asked'
            ? 'Does megaphone_comet run there? application:ensure_all_started(megaphone_comet).'
            : 'Is that node running? The log says why there is no connection.',
        );
      }),
    ...[...counted].flatMap(([what, times]) =>
      SAID[what] ? [warn(`${count(times)} ${SAID[what][0]}`, SAID[what][1])] : [],
    ),
  ];
}

/** @type {Readonly<Record<string, readonly [what: string, mend: string]>>} */
const SAID = {
  gaps: [
    'pages were told in the last minute that they missed something.',
    'They were away for longer than rings keep messages (ring_seconds, ring_count), or a node died.',
  ],
  slow_readers: [
    'pages that do not read were cut in the last minute.',
    'They get more than they read: send less, or less often.',
  ],
  unknown_shape: ['terms in the last minute were no message.', 'The log has their shapes.'],
};

/** @type {(what: string, mend: string) => Problem} */
const bad = (what, mend) => ({ level: 'bad', what, mend });
/** @type {(what: string, mend?: string) => Problem} */
const warn = (what, mend = '') => ({ level: 'warn', what, mend });
