/** A user of the gateway without a socket: plays the HTTP front's part. What the crowd asks of one, and one of the crowd. */

import type { ClientInfo } from '../../../src/gateway/meta.js';
import type { Mark } from '../stanzas.js';

export interface SocketlessUser {
  /** Full JID, once bound; only of those that are asked to keep it. */
  readonly jid: string;
  login(): void;
  say(stanza: string): void;
}

export interface Crowd {
  /** The virtual host. */
  readonly host: string;
  online(user: SocketlessUser): void;
  arrived(marks: readonly Mark[]): void;
  ended(reason: string): void;
}

export const clientAt = (path: string): ClientInfo => ({
  ip: '127.0.0.1',
  port: 0,
  secure: true,
  path,
  origin: 'https://chat.example.org',
  userAgent: 'Mozilla/5.0',
});
