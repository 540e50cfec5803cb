/** Each cause for which the gateway refuses something itself, for an operator: docs/metrics.md has them, too, and a test compares. */

/** @type {Readonly<Record<string, readonly [what: string, mend?: string]>>} */
export const REFUSALS = {
  overload: ['beyond max_exchanges, max_connections, or what a node reads', 'Raise them, or add a gateway.'],
  busy: ['ejabberd has more requests than it takes', 'Add nodes.'],
  full: [
    'no node takes new sessions',
    'max_unauthenticated of the module; memory and processes of ejabberd.',
  ],
  no_node: ['no ejabberd node was in service', 'The table of nodes says why.'],
  node_lost: ['the connection to a node was lost', 'The table of nodes says why.'],
  stopping: ['the gateway stops, or drains'],
  unknown_sid: ['sessions that are no more', 'Many at once: a node died.'],
  receiving: ['the slowest of what was coming in', 'Raise max_receiving, or it is an attack.'],
  too_large: ['a body beyond max_body'],
  headers: ['headers beyond 16 KB'],
  malformed: ['what is no request', 'Strangers, or a proxy that is wrong.'],
  handshake: [
    'TLS handshakes that came to nothing',
    'Strangers, or clients that do not know the certificate.',
  ],
  connections_of_address: ['connections of one address, beyond its limit', 'The log names it.'],
  requests_of_address: ['requests of one address, beyond its limit', 'The log names it.'],
  failed_logins: ['addresses of which too many logins failed', 'Somebody tries passwords: the log.'],
  banned: ['addresses that ejabberd banned', 'ejabberdctl unban_ip'],
  navigation: ['a page that would show an answer'],
  method: ['a method that there is not'],
  path: ['a path that there is not'],
  not_admitted: ['pages that may not listen to comet', 'Strangers, or tokens that have ended.'],
  origin: ['WebSockets for pages of other origins', 'Put theirs into cors_origins.'],
  upgrade: ['what opens no WebSocket', 'A proxy must pass upgrades on.'],
};
