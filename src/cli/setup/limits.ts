/** The limits of the configuration, beside each other and beside that of open files. Each that is too low is advice. */

import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Config } from '../../config/schema.js';
import { workerConfigs } from '../../config/workers.js';
import { connectionLimits, fileLimit, filesFor } from '../../http/file-limit.js';
import { type Finding, good, poor } from '../finding.js';
import { portOwner } from './port-owner.js';

/**
 * @param isRunning this gateway is, perhaps with another limit of open files than this command has
 * @param proc the folder of that name
 */
export function* limits(config: Config, isRunning: boolean, proc = '/proc'): Generator<Finding> {
  const { max_connections, max_exchanges } = config;
  if (max_connections > max_exchanges)
    yield poor(
      `max_connections (${max_connections}) is more than max_exchanges (${max_exchanges}): of so many BOSH clients the rest hears 503`,
      `max_exchanges: ${max_connections}`,
    );
  yield files(config, isRunning, proc);
}

/** Workers inherit the limit of their primary, which is the one that has the port; and each may have so many. */
function files(config: Config, isRunning: boolean, proc: string): Finding {
  const owner = isRunning ? portOwner(config.http_port, proc) : undefined;
  const limit = fileLimit(join(proc, owner === undefined ? 'self' : String(owner.pid)));
  const [{ max_connections } = config] = workerConfigs(config);
  const isTls = config.tls_cert !== '';
  const { served } = connectionLimits(max_connections, isTls, limit);
  const whose = owner === undefined ? 'a process started from here' : `the gateway (process ${owner.pid})`;
  const share = config.workers === 1 ? '' : ` for each of ${config.workers} workers`;
  if (served >= max_connections)
    return good(`max_connections: ${whose} may open files for ${max_connections}${share}`);
  const needed = filesFor(max_connections, isTls);
  return poor(
    `max_connections is ${max_connections}${share}, and ${whose} may open ${limit} files: that is ${served} connections`,
    `LimitNOFILE=${needed} in the systemd unit, or ulimit -n ${needed} in the shell that starts it${beyondKernel(needed, proc)}`,
  );
}

/** The most that any process may be allowed. */
function beyondKernel(needed: number, proc: string): string {
  let most = Number.POSITIVE_INFINITY;
  try {
    most = Number(readFileSync(join(proc, 'sys/fs/nr_open'), 'latin1'));
  } catch {
    // Not a system that has it.
  }
  return needed > most
    ? `; first fs.nr_open = ${needed} in /etc/sysctl.d/60-megaphone.conf, and sysctl --system`
    : '';
}
