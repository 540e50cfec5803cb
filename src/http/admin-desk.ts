/** Whom the admin port asks for what operators, and publishers, want done. */

import type { CometDesk } from '../comet/ports.js';
import type { SessionPage, SessionQuery } from '../gateway/module-sessions.js';
import type { GatewayState } from '../observe/report.js';
import type { Read } from '../outside/line-reader.js';

export interface AdminDesk extends CometDesk {
  /** Takes the gateway out of service, or back. @returns how it is then */
  order(order: 'drain' | 'resume'): Promise<GatewayState>;
  /** @throws MegaphoneError */
  sessions(query: SessionQuery): Promise<SessionPage>;
  /** @returns whether there was such a session @throws MegaphoneError */
  closeSession(node: string, id: string): Promise<boolean>;
  /** A line from outside. @returns what is wrong with it, in one line */
  say(line: Read): Promise<string | undefined>;
}
