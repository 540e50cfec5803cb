/** Starts the gateway's node, also where a predecessor of the same name was killed a moment ago. */

import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { MegaphoneError } from '../errors.js';
import { HiddenNode, type NodeOptions } from '../node/hidden-node.js';

const PATIENCE_MS = 5_000;
const RETRY_MS = 200;

/**
 * EPMD frees a name when it notices that the connection of its node is closed; until then a new node is refused.
 * @param patienceMs how long to try
 * @throws MegaphoneError as `HiddenNode.start`
 */
export async function startNode(
  options: NodeOptions,
  log: Logger,
  patienceMs = PATIENCE_MS,
): Promise<HiddenNode> {
  const deadline = performance.now() + patienceMs;
  for (let attempt = 1; ; attempt += 1) {
    try {
      return await HiddenNode.start(options);
    } catch (error) {
      const isTaken = error instanceof MegaphoneError && error.code === 'EPMD_NAME_TAKEN';
      if (!isTaken || performance.now() >= deadline) throw error;
      if (attempt === 1) log.warn(`${error.message}; waiting for it to go`);
      await sleep(RETRY_MS);
    }
  }
}
