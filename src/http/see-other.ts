/** Where WebSockets are sent before they are closed (RFC 7395 §3.6.1). */

import { escapeXml } from './host-meta.js';

/** `undefined`: nothing is said. */
export const seeOther = (uri: string): Buffer | undefined =>
  uri === ''
    ? undefined
    : Buffer.from(`<close xmlns='urn:ietf:params:xml:ns:xmpp-framing' see-other-uri='${escapeXml(uri)}'/>`);
