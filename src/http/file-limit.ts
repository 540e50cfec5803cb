/** How many files this process may have open, which is what bounds its connections in the end. */

import { readFileSync } from 'node:fs';

/**
 * Kept for everything else: connections to nodes, EPMD, the files read again while running, and what Node.js has open.
 * At the limit itself Node.js closes new connections without a word, and those fail too.
 */
const RESERVED = 64;

/** At least 1; infinite where the system does not say. */
export function connectionsWithinFileLimit(): number {
  let limits: string;
  try {
    limits = readFileSync('/proc/self/limits', 'latin1');
  } catch {
    return Number.POSITIVE_INFINITY;
  }
  // The soft limit, which Node.js raises to the hard one when it starts.
  const [, limit = 'unlimited'] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Math.max(1, Number(limit) - RESERVED);
}
