/** Each cause for which the gateway refuses something itself, for an operator: docs/metrics.md has them, too, and a test compares. */

/** @type {Readonly<Record<string, readonly [what: string, mend: string]>>} */
export const REFUSALS = {
  overload: [
    'more requests or connections than configured, or more bytes than a node reads (503)',
    'raise max_exchanges or max_connections, or add a gateway',
  ],
  busy: ['ejabberd has more requests than it takes (503)', 'add nodes'],
  full: [
    'no node takes new sessions (503)',
    'look at max_unauthenticated of the module, and at memory and processes of ejabberd',
  ],
  no_node: ['no ejabberd node was in service (503)', 'the table of nodes says why'],
  node_lost: ['the connection to a node was lost (503)', 'the table of nodes says why'],
  stopping: ['the gateway stops, or drains (503)', ''],
  unknown_sid: ['sessions that are no more (item-not-found)', 'many at once: a node died'],
  receiving: ['the slowest of what was coming in (503)', 'raise max_receiving; or it is an attack'],
  too_large: ['a body beyond max_body (413)', ''],
  headers: ['headers beyond 16 KB (431)', ''],
  malformed: ['what is no request (400, 417, 501, 505)', 'strangers, or a proxy that is wrong'],
  handshake: [
    'TLS handshakes that came to nothing',
    'strangers, or clients that do not know the certificate',
  ],
  navigation: ['a page that would show an answer (403)', ''],
  method: ['no method of this (405)', ''],
  path: ['no endpoint of this (404)', ''],
  origin: ['a WebSocket for a page of an origin that is not allowed (403)', 'put it into cors_origins'],
  upgrade: ['what opens no WebSocket, where those are (400, 426)', 'a proxy must pass upgrades on'],
};
