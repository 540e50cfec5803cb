/** Several worker processes from one configuration: what each of them is called and may hold. */

import { nodeNames } from './node-names.js';
import type { Config } from './schema.js';

/**
 * The configuration of each worker, as of a gateway of its own. The maxima are those of all workers together, and
 * connections are dealt out evenly, so each gets its share, rounded up. Those of one address are few, and may come to one worker:
 * of what an address may, each gets twice its share.
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
    max_connections_per_address: ofAddress(config.max_connections_per_address, workers),
    max_requests_per_address: rateOfAddress(config.max_requests_per_address, workers),
    max_exchanges: Math.ceil(config.max_exchanges / workers),
    max_waiting: Math.ceil(config.max_waiting / workers),
    comet_ring_memory: Math.ceil(config.comet_ring_memory / workers),
    admin_port: 0,
    lines_port: 0,
    agent_port: 0,
  }));
}

const ofAddress = (whole: number, workers: number): number =>
  Math.min(whole, Math.ceil((2 * whole) / workers));

/** A failed login is told to every worker, so of those each counts all. */
function rateOfAddress(whole: Config['max_requests_per_address'], workers: number): typeof whole {
  if (whole === 0) return whole;
  const { burst, perSecond } = whole;
  return { burst: ofAddress(burst, workers), perSecond: Math.min(perSecond, (2 * perSecond) / workers) };
}
