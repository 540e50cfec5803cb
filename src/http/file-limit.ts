/** How many files a process may have open, which is what bounds its connections in the end. */

import { readFileSync } from 'node:fs';

/**
 * Kept for everything else: connections to nodes, EPMD, the files read again while running, and what Node.js has open.
 * At the limit itself Node.js closes new connections without a word, and those fail too.
 */
const RESERVED = 64;
/** Connections beyond the maximum that still hear 503 instead of being dropped, but no more than this part of all. */
const REFUSED_CONNECTIONS = 100;
const REFUSED_PART = 0.1;
/** TLS handshakes under way, beside the connections and as a part of their maximum. */
const HANDSHAKE_PART = 0.25;

/** How many connections are served, how many more hear 503, and how many are at their TLS handshake. */
export interface ConnectionLimits {
  readonly served: number;
  readonly refused: number;
  readonly handshakes: number;
}

/** @param files what the process may have open */
export function connectionLimits(maxConnections: number, isTls: boolean, files: number): ConnectionLimits {
  const most = connectionsWithin(files);
  const refused = Math.min(REFUSED_CONNECTIONS, Math.ceil(most * REFUSED_PART));
  const share = isTls ? HANDSHAKE_PART : 0;
  const served = Math.max(1, Math.min(maxConnections, Math.floor((most - refused) / (1 + share))));
  return { served, refused, handshakes: Math.ceil(served * share) };
}

/** At least 1. */
export const connectionsWithin = (files: number): number => Math.max(1, files - RESERVED);

/** Enough for all of `maxConnections` to be served. */
export const filesFor = (maxConnections: number, isTls: boolean): number =>
  RESERVED + REFUSED_CONNECTIONS + Math.ceil(maxConnections * (1 + (isTls ? HANDSHAKE_PART : 0)));

/**
 * Infinite where the system does not say.
 * @param process its folder in /proc
 */
export function fileLimit(process = '/proc/self'): number {
  let limits: string;
  try {
    limits = readFileSync(`${process}/limits`, 'latin1');
  } catch {
    return Number.POSITIVE_INFINITY;
  }
  // The soft limit, which Node.js raises to the hard one when it starts.
  const [, limit = 'unlimited'] = /^Max open files\s+(\d+)/m.exec(limits) ?? [];
  return limit === 'unlimited' ? Number.POSITIVE_INFINITY : Number(limit);
}
