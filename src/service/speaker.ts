/** Who says lines from outside: to pages through comet, in chat through ejabberd. */

import type { Logger } from 'pino';
import type { CometDesk } from '../comet/ports.js';
import type { Config } from '../config/schema.js';
import type { Gateway } from '../gateway/gateway.js';
import type { HiddenNode } from '../node/hidden-node.js';
import type { Counters } from '../observe/counters.js';
import { Faults } from '../observe/faults.js';
import { Chat } from '../outside/chat.js';
import { readTargets } from '../outside/line.js';
import { Speaker } from '../outside/speaker.js';

export function speakerOf(
  { lines_default, lines_from }: Config,
  node: HiddenNode,
  gateway: Gateway,
  desk: CometDesk,
  counters: Counters,
  log: Logger,
): Speaker {
  const fallback = lines_default === '' ? [] : readTargets(lines_default);
  const chat = new Chat(node, gateway.cluster, lines_from);
  return new Speaker(fallback, desk, chat, counters.lines, new Faults(log), log);
}
