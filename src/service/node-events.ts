/** What the log says of connections to other nodes. */

import type { Logger } from 'pino';
import type { HiddenNode } from '../node/hidden-node.js';
import type { Counters } from '../observe/counters.js';
import { LimitedLog } from '../observe/limited-log.js';

/** Two nodes that connect to each other at once, or again: one connection stays. */
const HARMLESS: ReadonlySet<string> = new Set([
  'HANDSHAKE_SIMULTANEOUS',
  'HANDSHAKE_CLOSED',
  'HANDSHAKE_ALIVE',
]);

/** A node, or this one, that stops or starts anew. */
const USUAL_ENDS: ReadonlySet<string> = new Set([
  'LINK_CLOSED',
  'LINK_LET_GO',
  'LINK_STOPPED',
  'LINK_SUPERSEDED',
]);

export function logNodeEvents(node: HiddenNode, counters: Counters, log: Logger): void {
  const limited = new LimitedLog(log);
  node.on('up', (name) => log.info({ node: name }, `connected to ${name}`));
  node.on('down', (name, error) => {
    const level = USUAL_ENDS.has(error.code) ? 'info' : 'warn';
    log[level]({ err: error }, `disconnected from ${name}`);
  });
  node.on('refused', (error, address) => {
    counters.refusedHandshakes += 1;
    const text = 'refused a node that tried to connect';
    if (HARMLESS.has(error.code)) log.debug({ err: error, address }, text);
    else limited.warn(error.code, { err: error, address }, text);
  });
  // A broken EPMD may come and go with each attempt.
  node.on('epmdLost', (error) => {
    limited.warn(
      error.code,
      { err: error },
      'EPMD is gone: other nodes cannot find this one until it is back',
    );
  });
  node.on('epmdRenewed', () => log.debug('registered at EPMD again'));
}
