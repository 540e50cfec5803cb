/** What is measured side by side: three servers on two transports, and ejabberd's own BOSH behind haproxy. */

import type { Transport } from '../../load/user.js';

export const SUBJECTS = [
  'own-bosh',
  'haproxy',
  'megaphone-bosh',
  'own-websocket',
  'megaphone-websocket',
  'prosody-bosh',
  'prosody-websocket',
] as const;
export type SubjectName = (typeof SUBJECTS)[number];

/** Without what is no server of its own. */
export const SERVERS: readonly SubjectName[] = SUBJECTS.filter((name) => name !== 'haproxy');

export const NAMES: Readonly<Record<SubjectName, string>> = {
  'own-bosh': "ejabberd's own BOSH",
  haproxy: 'own BOSH behind haproxy',
  'megaphone-bosh': 'Megaphone BOSH',
  'own-websocket': "ejabberd's own WebSocket",
  'megaphone-websocket': 'Megaphone WebSocket',
  'prosody-bosh': 'Prosody BOSH',
  'prosody-websocket': 'Prosody WebSocket',
};

export const transportOf = (name: SubjectName): Transport =>
  name.endsWith('-websocket') ? 'websocket' : 'bosh';

/** Megaphone, and ejabberd alone, on each transport. */
export const PAIRS: Readonly<
  Record<Transport, { readonly own: SubjectName; readonly megaphone: SubjectName }>
> = {
  bosh: { own: 'own-bosh', megaphone: 'megaphone-bosh' },
  websocket: { own: 'own-websocket', megaphone: 'megaphone-websocket' },
};

export const TRANSPORT_NAMES: Readonly<Record<Transport, string>> = { bosh: 'BOSH', websocket: 'WebSocket' };
