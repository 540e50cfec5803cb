/**
 * The agent of HAProxy's `agent-check`: whoever connects is told in a word whether this gateway is to get clients, and hung up on.
 *
 *   up ready     yes
 *   down ready   no ejabberd node is in service
 *   drain        clients are being sent elsewhere
 *   maint        they were, by `megaphone drain`
 *
 * `ready` takes back what an earlier `drain` or `maint` said, and `up` an earlier `down`: either stays until then, also while
 * this gateway is away. What is sent here is passed over, and who does not hang up is cut, so strangers cost nothing.
 */

import type { Faults } from '../observe/faults.js';
import type { Health } from '../observe/report.js';
import { BriefServer } from './brief-server.js';

const LIFETIME_MS = 2_000;

export function agentWord({ state, status }: Pick<Health, 'state' | 'status'>): string {
  switch (state) {
    case 'in_service':
      return status === 'unavailable' ? 'down ready #no ejabberd node is in service' : 'up ready';
    case 'drained':
      return 'maint';
    default:
      return 'drain';
  }
}

/** @throws MegaphoneError HTTP_LISTEN */
export function listenAsAgent(
  ip: string,
  port: number,
  health: () => Pick<Health, 'state' | 'status'>,
  faults: Faults,
): Promise<BriefServer> {
  return BriefServer.listen(ip, port, LIFETIME_MS, (socket) => {
    socket.resume();
    const word = faults.attempt(() => agentWord(health()));
    // Who is told nothing goes by what was said last.
    if (word === undefined) socket.destroy();
    else socket.end(`${word}\n`);
  });
}
