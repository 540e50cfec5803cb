/** Several worker processes from one configuration: what each of them is called and may hold. */

import { nodeNames } from './node-names.js';
import type { Config } from './schema.js';

/**
 * The configuration of each worker, as of a gateway of its own. The maxima are those of all workers together, and
 * connections are dealt out evenly, so each gets its share, rounded up.
 */
export function workerConfigs(config: Config): Config[] {
  const { workers, distribution_port: first } = config;
  return nodeNames(config).map((node, index) => ({
    ...config,
    workers: 1,
    node,
    distribution_port: first === 0 ? 0 : first + index,
    max_receiving: Math.ceil(config.max_receiving / workers),
    max_connections: Math.ceil(config.max_connections / workers),
    max_connections_per_address: Math.ceil(config.max_connections_per_address / workers),
    max_requests_per_address: share(config.max_requests_per_address, workers),
    max_exchanges: Math.ceil(config.max_exchanges / workers),
    max_waiting: Math.ceil(config.max_waiting / workers),
    admin_port: 0,
    agent_port: 0,
  }));
}

/** A failed login is told to every worker, so of those each counts all. */
function share(whole: Config['max_requests_per_address'], workers: number): typeof whole {
  if (whole === 0) return whole;
  return { burst: Math.ceil(whole.burst / workers), perSecond: whole.perSecond / workers };
}
