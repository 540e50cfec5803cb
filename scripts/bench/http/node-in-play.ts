/** A node that takes requests as one with mod_megaphone would, and answers none. */

import { CONTRACT_VERSION, MODULE } from '../../../src/gateway/contract.js';
import { Cookie } from '../../../src/node/cookie.js';
import { HiddenNode } from '../../../src/node/hidden-node.js';
import { incomingCall } from '../../../src/node/incoming-call.js';

export const COOKIE = new Cookie('bench-connections');

/** It listens on the loopback address alone, and needs no EPMD. */
export async function playNode(): Promise<HiddenNode> {
  const node = await HiddenNode.start({
    name: `ejabberd_${process.pid}@localhost`,
    cookie: COOKIE,
    listen: { host: '127.0.0.1' },
    epmd: false,
  });
  // In the place of the one that refuses.
  node.unregister('rex');
  node.register('rex', {
    deliver: (message) => {
      const call = incomingCall(message);
      if (call !== undefined) node.reply(call, CONTRACT_VERSION);
    },
  });
  node.register(MODULE, { deliver: () => {} });
  return node;
}
