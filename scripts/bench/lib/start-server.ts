/** Starts what is measured under that name. */

import { EjabberdServer, type Front } from './ejabberd-server.js';
import { ProsodyServer } from './prosody.js';
import type { Server } from './server.js';
import { type SubjectName, transportOf } from './subjects.js';

const FRONTS: Readonly<Record<SubjectName, Front | 'prosody'>> = {
  'own-bosh': 'none',
  haproxy: 'haproxy',
  'megaphone-bosh': 'megaphone',
  'own-websocket': 'none',
  'megaphone-websocket': 'megaphone',
  'prosody-bosh': 'prosody',
  'prosody-websocket': 'prosody',
};

/** @param cores that it may run on, written as for taskset(1) */
export function startServer(name: SubjectName, cores?: string): Promise<Server> {
  const [front, transport] = [FRONTS[name], transportOf(name)];
  if (front === 'prosody') return ProsodyServer.start(transport, cores);
  return EjabberdServer.start({ front, transport, ...(cores === undefined ? {} : { cores }) });
}
