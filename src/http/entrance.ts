/** Whether a connection that came is served, and how it goes. */

import { UNLIMITED } from './address-limits.js';
import type { Front } from './front.js';
import { TOO_MANY, TOO_MANY_OF_ADDRESS } from './replies.js';
import type { Reply } from './response.js';
import type { Guest } from './room.js';

interface Newcomer extends Guest {
  /** As which it is limited, and counted. */
  address: string;
}

/**
 * What it hears instead; `undefined`: it is served. It is counted here, and not where it hears so: it may leave, or have to make
 * room, before it asks anything.
 */
export function refusalOf(connection: Newcomer, { room, limits, counters, now }: Front): Reply | undefined {
  if (!limits.hasRoom(connection.address)) {
    connection.address = UNLIMITED;
    counters.refused.connections_of_address += 1;
    room.refuse(connection);
    return TOO_MANY_OF_ADDRESS;
  }
  limits.enter(connection.address);
  if (room.enter(connection, now)) return undefined;
  counters.refused.overload += 1;
  return TOO_MANY;
}

/** Once for each. */
export function leave(
  guest: Readonly<Newcomer> & Guest,
  { room, limits }: Pick<Front, 'room' | 'limits'>,
): void {
  room.leave(guest);
  limits.leave(guest.address);
}
