/**
 * `make bench-comet`: what pages cost the gateway, beside Pushpin and nchan in the same run, each on the same cores and fresh for each part; a table with the
 * targets.
 *
 *   ONLY=memory,fanout,broadcast,publish,held,socketless,killed   some of the parts
 *   SUBJECTS='gateway,bare node:net,Pushpin,nchan'   some of those that are compared
 *   QUICK=1                               all of it smaller, in three minutes; memory is no target then, as it takes one to settle
 *   CORES=2                               for the servers; the others are the load generator's
 *   LISTENERS=16000                       of each that is compared: as many as one process of each takes here
 *   BROADCAST=100000                      listeners of one id, at the gateway with several workers
 *   HELD=200000                           real connections of the gateway with several workers
 *   SOCKETLESS=1000000                    listeners without sockets, in one process
 *   MESSAGES=60000                        published over HTTP
 */

import { availableParallelism } from 'node:os';
import { assignCores, describeCores } from '../lib/cores.js';
import { namesFrom } from '../lib/environment.js';
import { describeMachine } from '../lib/machine.js';
import { PARTS, type Part, Parts } from './parts.js';
import { cometTable, type Row, targetsMet } from './report.js';

process.env.CORES ??= String(Math.max(1, Math.floor(availableParallelism() / 2)));
const cores = assignCores();
const parts = new Parts(cores);
const heading = `${describeMachine('pushpin', 'libnginx-mod-nchan')}; ${describeCores(cores)}`;
console.error(heading);
// A listener for each server and process that ends with us.
process.setMaxListeners(100);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(1));
const rows: Row[] = [];
for (const part of namesFrom<Part>('ONLY', PARTS)) rows.push(...(await parts[part]()));
console.log(`${heading}\n\n${cometTable(rows)}\n`);
console.log('Events through router and subscriptions, from a graph of a million users: make bench-friends.');
console.log(targetsMet(rows));
process.exit();
